import Gateway

extension Invocation {
    static func authority(_ parsed: ParsedArguments) throws(UsageError) -> Invocation {
        .makeAuthority(directory: directory(parsed), days: try number("--days", parsed, 1...7300) ?? 3650)
    }

    static func certificates(_ parsed: ParsedArguments) throws(UsageError) -> Invocation {
        let node = try number("--node", parsed, NodeConfiguration.nodeIDs)
        let days = try number("--days", parsed, 1...3650) ?? 825
        guard let name = parsed.value("--operator") else {
            return .issueCertificates(
                directory: directory(parsed), nodeFile: parsed.operands[0], only: node.map(UInt64.init), days: days,
                renew: parsed.has("--renew"))
        }
        if node != nil { throw UsageError("--node and --operator exclude each other; give one") }
        let isName = name.utf8.allSatisfy { byte in
            UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte || UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte | 0x20
                || "-_.".utf8.contains(byte)
        }
        guard 1...40 ~= name.utf8.count, isName, name.utf8.first != UInt8(ascii: ".") else {
            throw UsageError("--operator \(Terminal.printable(name)) is no name of 1 to 40 letters, digits, -, _ and .")
        }
        return .issueOperatorCertificate(
            directory: directory(parsed), nodeFile: parsed.operands[0], name: name, days: days,
            renew: parsed.has("--renew"))
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
