import Gateway

/// A mistake in the command line, in one line that says what would be right.
package struct UsageError: Error, Hashable, Sendable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}

/// A command line taken apart by the syntax of its command.
package struct ParsedArguments: Sendable {
    package private(set) var command: CommandName
    package private(set) var operands: [String] = []
    package private(set) var wantsHelp = false
    private var values: [String: String] = [:]

    /// `arguments` are those after the program's name. An option takes its value as `--name value` or
    /// `--name=value`; after `--` there are operands only.
    package init(_ arguments: [String]) throws(UsageError) {
        var rest = arguments[...]
        command = try Self.takeCommand(&rest)
        let syntax = command.syntax
        var takesOptions = true
        while let argument = rest.popFirst() {
            if takesOptions, argument == "--" {
                takesOptions = false
            } else if takesOptions, argument == "--help" || argument == "-h" {
                wantsHelp = true
            } else if takesOptions, argument.hasPrefix("-"), argument != "-" {
                try takeOption(argument, &rest, syntax)
            } else {
                operands.append(argument)
            }
        }
        if !wantsHelp { try checkOperands(syntax) }
    }

    package func value(_ option: String) -> String? { values[option] }

    package func has(_ option: String) -> Bool { values[option] != nil }

    private static func takeCommand(_ rest: inout ArraySlice<String>) throws(UsageError) -> CommandName {
        guard let first = rest.popFirst() else { return .help }
        switch first {
        case "--help", "-h": return .help
        case "--version", "-V": return .version
        case _: break
        }
        if let command = CommandName(rawValue: first) { return command }
        let family = CommandName.allCases.filter { $0.words.count == 2 && $0.words[0] == first }
        if family.isEmpty {
            let known = CommandName.allCases.map { $0.words[0] }
            throw UsageError("there is no command \(quoted(first)); \(advice(first, known, "gwnode help"))")
        }
        let verbs = family.map { $0.words[1] }
        guard let second = rest.popFirst(), second != "--help", second != "-h" else {
            throw UsageError("\(first) needs one of \(verbs.joined(separator: ", "))")
        }
        if let command = CommandName(rawValue: "\(first) \(second)") { return command }
        let near = Spelling.closest(to: second, among: verbs).map { "did you mean \(first) \($0)?" }
        throw UsageError("there is no command \(quoted("\(first) \(second)")); \(near ?? "see `gwnode help`")")
    }

    private mutating func takeOption(
        _ argument: String, _ rest: inout ArraySlice<String>, _ syntax: CommandSyntax
    ) throws(UsageError) {
        let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard let option = syntax.options.first(where: { $0.name == parts[0] }) else {
            let known = syntax.options.map(\.name) + ["--help"]
            let help = "gwnode help \(command.rawValue)"
            throw UsageError("\(command.rawValue) has no option \(quoted(parts[0])); \(advice(parts[0], known, help))")
        }
        guard values[option.name] == nil else { throw UsageError("\(option.name) is given twice; give it once") }
        guard let placeholder = option.value else {
            if parts.count == 2 { throw UsageError("\(option.name) takes no value") }
            values[option.name] = ""
            return
        }
        guard let value = parts.count == 2 ? parts[1] : rest.popFirst(), !value.isEmpty else {
            throw UsageError("\(option.name) needs a value: \(option.name) \(placeholder)")
        }
        values[option.name] = value
    }

    private func checkOperands(_ syntax: CommandSyntax) throws(UsageError) {
        let form = ["gwnode", command.rawValue, syntax.operands].filter { !$0.isEmpty }.joined(separator: " ")
        if operands.count < syntax.operandCount.lowerBound {
            throw UsageError("\(command.rawValue) needs more operands: \(form)")
        }
        if operands.count > syntax.operandCount.upperBound {
            let extra = operands[syntax.operandCount.upperBound]
            throw UsageError("\(command.rawValue) has no use for \(quoted(extra)): \(form)")
        }
    }
}

/// `did you mean ...?` when a candidate is near, else where to look.
private func advice(_ word: String, _ candidates: [String], _ help: String) -> String {
    if let near = Spelling.closest(to: word, among: candidates) { return "did you mean \(near)?" }
    return "see `\(help)`"
}

private func quoted(_ text: String) -> String { "\"\(Terminal.printable(text))\"" }
