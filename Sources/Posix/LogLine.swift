/// How the event log's lines are written. The raw value is the name in files.
package enum LogFormat: String, Hashable, Sendable, CaseIterable {
    /// For people: `2026-11-22T13:07:05.123Z info  vip: claimed 10.0.0.1 term=3`. The journal, which has times of its own,
    /// gets `<6>info  vip: claimed 10.0.0.1 term=3`, from which it knows the priority.
    case text
    /// `time=… level=info subsystem=vip event=address-claimed message="claimed 10.0.0.1 term=3" address=10.0.0.1 term=3`
    case logfmt
    /// The same as an object.
    case json
}

/// What a line says besides its message, for programs. Here alone are the names.
package enum LogField: Hashable, Sendable {
    /// What happened, by a name that does not change.
    case event(String)
    case node(UInt64)
    case name(String)
    case cluster(String)
    case version(String)
    case pid(Int32)
    case term(UInt64)
    case index(UInt64)
    case revision(UInt64)
    case author(String)
    case address(String)
    case interface(String)
    case upstream(String)
    case backends(Int)
    case workers(Int)
    case engine(String)
    case lines(UInt64)
    case bytes(Int)
    case path(String)
    case signal(Int32)
    case reason(String)
    case error(String)

    private enum Value {
        case number(String)
        case text(String)
    }

    private var parts: (name: String, value: Value) {
        switch self {
        case .event(let text): ("event", .text(text))
        case .node(let number): ("node", .number("\(number)"))
        case .name(let text): ("name", .text(text))
        case .cluster(let text): ("cluster", .text(text))
        case .version(let text): ("version", .text(text))
        case .pid(let number): ("pid", .number("\(number)"))
        case .term(let number): ("term", .number("\(number)"))
        case .index(let number): ("index", .number("\(number)"))
        case .revision(let number): ("revision", .number("\(number)"))
        case .author(let text): ("author", .text(text))
        case .address(let text): ("address", .text(text))
        case .interface(let text): ("interface", .text(text))
        case .upstream(let text): ("upstream", .text(text))
        case .backends(let number): ("backends", .number("\(number)"))
        case .workers(let number): ("workers", .number("\(number)"))
        case .engine(let text): ("engine", .text(text))
        case .lines(let number): ("lines", .number("\(number)"))
        case .bytes(let number): ("bytes", .number("\(number)"))
        case .path(let text): ("path", .text(text))
        case .signal(let number): ("signal", .number("\(number)"))
        case .reason(let text): ("reason", .text(text))
        case .error(let text): ("error", .text(text))
        }
    }

    fileprivate var logfmt: String {
        let (name, value) = parts
        switch value {
        case .number(let digits): return "\(name)=\(digits)"
        case .text(let text): return "\(name)=\(LogLine.bare(text) ? text : LogLine.quoted(text))"
        }
    }

    fileprivate var json: String {
        let (name, value) = parts
        switch value {
        case .number(let digits): return "\"\(name)\":\(digits)"
        case .text(let text): return "\"\(name)\":\(LogLine.quoted(text))"
        }
    }
}

/// One event, as it is written.
package enum LogLine {
    /// - Parameter isForJournal: standard error is the journal, which has its own times and takes priorities from lines.
    package static func make(
        at time: WallTime, _ level: Log.Level, _ message: String, _ fields: [LogField], _ format: LogFormat,
        isForJournal: Bool
    ) -> String {
        let priority = isForJournal ? "<\(level.priority)>" : ""
        switch format {
        case .text:
            return "\(priority)\(isForJournal ? "" : "\(time) ")\(level.label) \(escaped(message))\n"
        case .logfmt:
            let (subsystem, rest) = split(message)
            let start = "\(priority)time=\(time) level=\(level) subsystem=\(subsystem) message=\(quoted(rest))"
            return fields.reduce(start) { "\($0) \($1.logfmt)" } + "\n"
        case .json:
            let (subsystem, rest) = split(message)
            let start =
                "\(priority){\"time\":\"\(time)\",\"level\":\"\(level)\",\"subsystem\":\"\(subsystem)\""
                + ",\"message\":\(quoted(rest))"
            return fields.reduce(start) { "\($0),\($1.json)" } + "}\n"
        }
    }

    private static let subsystems: Set<String> = [
        "access-log", "admin", "config", "guard", "health", "listener", "log", "members", "proxy", "raft", "scaling",
        "state", "tls", "vip",
    ]

    /// The part of the gateway that speaks stands in front of a message, but in those of the process as a whole.
    private static func split(_ message: String) -> (subsystem: String, rest: String) {
        guard let colon = message.firstRange(of: ": ") else { return ("gwnode", message) }
        let name = String(message[..<colon.lowerBound].replacing(" ", with: "-"))
        guard subsystems.contains(name) else { return ("gwnode", message) }
        return (name, String(message[colon.upperBound...]))
    }

    /// Whether a text needs no quotes in logfmt.
    fileprivate static func bare(_ text: String) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy {
                0x21...0x7e ~= $0 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "=") && $0 != UInt8(ascii: "\\")
            }
    }

    /// As a JSON string, which logfmt's quoted texts are too.
    fileprivate static func quoted(_ text: String) -> String {
        let escaped = text.unicodeScalars.reduce(into: "") { result, scalar in
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\t": result += "\\t"
            case _ where isControl(scalar):
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            case _: result.unicodeScalars.append(scalar)
            }
        }
        return "\"\(escaped)\""
    }

    /// Control characters from outside must not forge lines or drive the operator's terminal.
    private static func escaped(_ message: String) -> String {
        guard message.unicodeScalars.contains(where: isControl) else { return message }
        return message.unicodeScalars.reduce(into: "") { result, scalar in
            if isControl(scalar) {
                result += "\\u{\(String(scalar.value, radix: 16))}"
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value < 0x20 || 0x7f...0x9f ~= scalar.value
    }
}
