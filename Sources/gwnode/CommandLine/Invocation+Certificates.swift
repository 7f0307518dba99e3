import Gateway

extension Invocation {
    static func authority(_ parsed: ParsedArguments) throws(UsageError) -> Invocation {
        .makeAuthority(directory: directory(parsed), days: try number("--days", parsed, 1...7300) ?? 3650)
    }

    static func certificates(_ parsed: ParsedArguments) throws(UsageError) -> Invocation {
        let node = try number("--node", parsed, NodeConfiguration.nodeIDs)
        return .issueCertificates(
            directory: directory(parsed), nodeFile: parsed.operands[0], only: node.map(UInt64.init),
            days: try number("--days", parsed, 1...3650) ?? 825, renew: parsed.has("--renew"))
    }

    private static func directory(_ parsed: ParsedArguments) -> String { parsed.value("--directory") ?? "." }

    private static func number(
        _ option: String, _ parsed: ParsedArguments, _ range: ClosedRange<Int>
    ) throws(UsageError) -> Int? {
        guard let text = parsed.value(option) else { return nil }
        guard let number = Int(text), range.contains(number) else {
            let (first, last) = (range.lowerBound, range.upperBound)
            throw UsageError("\(option) \(Terminal.printable(text)) is not a number from \(first) to \(last)")
        }
        return number
    }
}
