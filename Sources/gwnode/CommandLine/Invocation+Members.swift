import Gateway

extension Invocation {
    /// `members add`: the node's own `--admin` takes the name of the option that elsewhere says whom to ask.
    static func addition(_ parsed: ParsedArguments) throws(UsageError) -> Invocation {
        let idText = try required("--id", parsed)
        guard let number = Int(idText), NodeConfiguration.nodeIDs.contains(number) else {
            let last = NodeConfiguration.nodeIDs.upperBound
            throw UsageError("--id \(Terminal.printable(idText)) is not a number from 1 to \(last)")
        }
        let document = NewMemberDocument(
            name: try required("--name", parsed), raft: try address("--raft", parsed).description,
            admin: try endpoint("--admin", parsed).description, votes: !parsed.has("--learner"))
        return .addMember(try access(parsed, option: "--ask"), id: UInt64(number), document)
    }

    private static func required(_ option: String, _ parsed: ParsedArguments) throws(UsageError) -> String {
        guard let value = parsed.value(option) else {
            throw UsageError("members add needs \(option); see `gwnode help members add`")
        }
        return value
    }

    private static func endpoint(_ option: String, _ parsed: ParsedArguments) throws(UsageError) -> AdminPlace {
        let text = try required(option, parsed)
        if text.hasPrefix(AdminPlace.unixPrefix), let endpoint = AdminPlace(parsing: text) { return endpoint }
        return .tcp(try address(option, parsed))
    }

    private static func address(_ option: String, _ parsed: ParsedArguments) throws(UsageError) -> HostPort {
        let text = try required(option, parsed)
        guard let address = HostPort(parsing: text) else {
            throw UsageError("\(option) \(Terminal.printable(text)) is not HOST:PORT, as in 10.0.0.4:8101")
        }
        return address
    }

    static func drill(_ parsed: ParsedArguments) throws(UsageError) -> Invocation {
        let word = parsed.value("--kind") ?? DrillKind.transfer.rawValue
        guard let kind = DrillKind(rawValue: word) else {
            let known = DrillKind.allCases.map(\.rawValue).joined(separator: ", ")
            throw UsageError("--kind \(Terminal.printable(word)) is unknown; use one of \(known)")
        }
        let text = parsed.value("--count") ?? "5"
        guard let count = Int(text), 1...1000 ~= count else {
            throw UsageError("--count \(Terminal.printable(text)) is not a number from 1 to 1000")
        }
        return .drill(try access(parsed), kind, count: count, isConfirmed: parsed.has("--yes"))
    }
}
