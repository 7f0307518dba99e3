/// gwnode(1), made from the same syntax as `gwnode help`.
package enum ManualPage {
    /// In the man macros of roff (man(7)).
    package static var text: String {
        var lines = [
            ".TH GWNODE 1 \"\" \"gwnode \(gwnodeVersion)\" \"User Commands\"",
            ".SH NAME", "gwnode \\- HTTP gateway that survives the death of any machine",
            ".SH SYNOPSIS", ".B gwnode", ".I COMMAND", "[\\fIOPTION\\fR]...",
            ".SH DESCRIPTION",
            escaped("gwnode is an HTTP gateway whose nodes share their state and pass a virtual address among them."),
            ".SH COMMANDS",
        ]
        for command in CommandName.allCases { lines += section(of: command) }
        lines += [
            ".SH EXIT STATUS",
            ".TP", "0", "Done; for status: all is well.",
            ".TP", "1", "Refused or failed; for status: something is down.",
            ".TP", "2", "No quorum.",
            ".TP", "3", "No node answers.",
            ".TP", "4", "run: the node was removed from its cluster.",
            ".TP", "64", "The command line is wrong.",
            ".SH ENVIRONMENT",
            ".TP", ".B GWNODE_ADMIN", escaped("The nodes to ask, as --admin has them."),
            ".TP", ".B NO_COLOR", "No colours when set and not empty.",
            ".SH FILES",
            ".TP", ".I /etc/gwnode/node.json5", "The node file of the systemd unit.",
        ]
        return lines.joined(separator: "\n") + "\n"
    }

    private static func section(of command: CommandName) -> [String] {
        let syntax = command.syntax
        let form = [command.rawValue, syntax.operands].filter { !$0.isEmpty }.joined(separator: " ")
        var lines = [".SS gwnode \(escaped(form))", escaped(syntax.summary)]
        if !syntax.details.isEmpty { lines += [".PP", escaped(syntax.details)] }
        for option in syntax.options {
            let value = option.value.map { " \\fI\(escaped($0))\\fR" } ?? ""
            lines += [".TP", "\\fB\(escaped(option.name))\\fR\(value)", escaped(option.summary)]
        }
        for example in syntax.examples {
            lines += [".PP", "\(escaped(example.meaning)):", ".PP", ".RS", ".EX", escaped(example.line), ".EE", ".RE"]
        }
        return lines
    }

    /// A line of text in which roff finds no request and changes no character.
    private static func escaped(_ text: String) -> String {
        let line = text.replacing("\\", with: "\\e").replacing("-", with: "\\-").replacing("\n", with: " ")
        return line.hasPrefix(".") || line.hasPrefix("'") ? "\\&" + line : line
    }
}
