/// What `gwnode help` prints.
package enum HelpText {
    private static let width = 100

    package static var overview: String {
        let table = CommandName.allCases.map { command in
            [form(command), command.syntax.summary]
        }
        return """
            gwnode is an HTTP gateway whose nodes share their state and pass a virtual address among them.

            \(columns(table))

            gwnode help COMMAND explains a command, with examples.

            """
    }

    package static func explanation(of command: CommandName) -> String {
        let syntax = command.syntax
        let usage = form(command) + (syntax.options.isEmpty ? "" : " [OPTION]...")
        var parts = ["gwnode \(usage)", wrapped(syntax.summary)]
        if !syntax.details.isEmpty { parts.append(wrapped(syntax.details)) }
        if !syntax.options.isEmpty {
            let options = syntax.options.map { option in
                [[option.name, option.value].compactMap(\.self).joined(separator: " "), option.summary]
            }
            parts.append("Options:\n" + columns(options))
        }
        if !syntax.examples.isEmpty {
            parts.append("Examples:\n" + columns(syntax.examples.map { [$0.line, "# \($0.meaning)"] }))
        }
        return parts.joined(separator: "\n\n") + "\n"
    }

    private static func form(_ command: CommandName) -> String {
        [command.rawValue, command.syntax.operands].filter { !$0.isEmpty }.joined(separator: " ")
    }

    private static func columns(_ rows: [[String]]) -> String {
        var table = TextTable(columns: [.left, .left])
        for row in rows { table.add(row.map { TextTable.Cell($0) }) }
        return table.lines(coloured: false).map { "  \($0)" }.joined(separator: "\n")
    }

    private static func wrapped(_ text: String) -> String {
        var lines: [String] = []
        var line = ""
        for word in text.split(whereSeparator: \.isWhitespace) {
            if !line.isEmpty, line.count + 1 + word.count > width {
                lines.append(line)
                line = ""
            }
            line += (line.isEmpty ? "" : " ") + word
        }
        return (lines + [line]).joined(separator: "\n")
    }
}
