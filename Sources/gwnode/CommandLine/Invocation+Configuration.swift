import Gateway

extension Invocation {
    static func revision(_ option: String, _ parsed: ParsedArguments) throws(UsageError) -> Revision? {
        guard let text = parsed.value(option) else { return nil }
        return try revision(text, of: option)
    }

    private static func revision(_ text: String, of name: String) throws(UsageError) -> Revision {
        guard let revision = Revision(parsing: text) else {
            throw UsageError("\(name) \(Terminal.printable(text)) is not a revision as in `gwnode config history`")
        }
        return revision
    }

    static func comparison(_ parsed: ParsedArguments) throws(UsageError) -> Invocation {
        let (from, to) = (try revision("--from", parsed), try revision("--to", parsed))
        guard let file = parsed.operands.first else {
            return .compareRevisions(try access(parsed), from: from, to: to, consistency(parsed))
        }
        if to != nil { throw UsageError("--to and FILE exclude each other; give one") }
        return .compareFile(try access(parsed), from: from, file: file, consistency(parsed))
    }

    static func rollback(_ parsed: ParsedArguments) throws(UsageError) -> Invocation {
        let target = try parsed.operands.first.map { text throws(UsageError) in try revision(text, of: "REVISION") }
        return .rollBack(try access(parsed), to: target, ifRevision: try revision("--if-revision", parsed))
    }
}
