import Gateway

/// Where the value of a key comes from.
package enum KeyValue: Hashable, Sendable {
    case text(String)
    case file(String)
}

extension Invocation {
    static func key(_ parsed: ParsedArguments) throws(UsageError) -> KeyName {
        let text = parsed.operands[0]
        guard let key = KeyName(text) else {
            throw UsageError("\(Terminal.printable(text)) is not a key; a key is \(KeyName.rule)")
        }
        return key
    }

    static func keyPrefix(_ parsed: ParsedArguments) throws(UsageError) -> String {
        let prefix = parsed.operands.first ?? ""
        guard KeyName.isPrefix(prefix) else {
            throw UsageError("\(Terminal.printable(prefix)) begins no key; a key is \(KeyName.rule)")
        }
        return prefix
    }

    static func keyValue(_ parsed: ParsedArguments) throws(UsageError) -> KeyValue {
        switch (parsed.operands.dropFirst().first, parsed.value("--file")) {
        case (let text?, nil): return .text(text)
        case (nil, let file?): return .file(file)
        case (nil, nil), (_?, _?): throw UsageError("keys put needs either VALUE or --file FILE")
        }
    }

    static func condition(_ parsed: ParsedArguments) throws(UsageError) -> KeyChange.Condition {
        guard let revision = try revision("--if-revision", parsed) else {
            return parsed.has("--if-absent") ? .absent : .any
        }
        if parsed.has("--if-absent") {
            throw UsageError("--if-absent and --if-revision exclude each other; give one")
        }
        return .unchangedSince(KeyRevision(revision.number))
    }
}
