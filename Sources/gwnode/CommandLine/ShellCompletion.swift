/// What makes a shell complete gwnode's commands, options and files.
package enum ShellCompletion: String, Hashable, Sendable, CaseIterable {
    case bash
    case zsh
    case fish

    package var script: String {
        switch self {
        case .bash: Self.bashScript
        // zsh runs bash's completions (`bashcompinit`, in zshcompsys).
        case .zsh: "#compdef gwnode\nautoload -U +X bashcompinit && bashcompinit\n" + Self.bashScript
        case .fish: Self.fishScript
        }
    }

    private static let formats = OutputFormat.allCases.map(\.rawValue).joined(separator: " ")

    /// First words, each once, in the order of the help.
    private static let firstWords = unique(CommandName.allCases.map { $0.words[0] })

    /// The second words of the commands that have two.
    private static let families = firstWords.compactMap { first -> (first: String, verbs: [String])? in
        let verbs = CommandName.allCases.filter { $0.words.count == 2 && $0.words[0] == first }.map { $0.words[1] }
        return verbs.isEmpty ? nil : (first, verbs)
    }

    private static func unique(_ words: [String]) -> [String] {
        words.enumerated().filter { index, word in !words[..<index].contains(word) }.map(\.element)
    }

    private static func options(of command: CommandName) -> [String] { command.syntax.options.map(\.name) + ["--help"] }

    private static var bashScript: String {
        let options = CommandName.allCases.map { command in
            let pattern = command.words.count == 2 ? "\"\(command.rawValue)\"" : "\"\(command.rawValue) \"*"
            return "        \(pattern)) words=\"\(Self.options(of: command).joined(separator: " "))\" ;;"
        }
        let verbs = families.map { "            \($0.first)) words=\"\($0.verbs.joined(separator: " "))\" ;;" }
        let shells = Self.allCases.map(\.rawValue).joined(separator: " ")
        return """
            # Completion of gwnode for bash, by `gwnode completions bash`.
            _gwnode() {
                local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} words=
                COMPREPLY=()
                if ((COMP_CWORD == 1)); then
                    words="\(firstWords.joined(separator: " "))"
                elif ((COMP_CWORD == 2)) && [[ $word != -* ]]; then
                    case $before in
            \(verbs.joined(separator: "\n"))
                        completions) words="\(shells)" ;;
                    esac
                elif [[ $before == --format ]]; then
                    words="\(formats)"
                elif [[ $word == -* ]]; then
                    case "${COMP_WORDS[1]} ${COMP_WORDS[2]}" in
            \(options.joined(separator: "\n"))
                    esac
                fi
                [[ -z $words ]] || COMPREPLY=($(compgen -W "$words" -- "$word"))
            }
            complete -o default -F _gwnode gwnode

            """
    }

    private static var fishScript: String {
        var lines = ["# Completion of gwnode for fish, by `gwnode completions fish`."]
        let known = firstWords.joined(separator: " ")
        for first in firstWords {
            let summary = CommandName(rawValue: first).map(\.syntax.summary) ?? "Commands about \(first)."
            lines.append(
                "complete -c gwnode -f -n 'not __fish_seen_subcommand_from \(known)' -a \(first) -d '\(quoted(summary))'"
            )
        }
        for command in CommandName.allCases {
            var condition = "__fish_seen_subcommand_from \(command.words[0])"
            if command.words.count == 2 {
                let verbs = families.first { $0.first == command.words[0] }?.verbs.joined(separator: " ") ?? ""
                let summary = quoted(command.syntax.summary)
                lines.append(
                    "complete -c gwnode -f -n '\(condition); and not __fish_seen_subcommand_from \(verbs)' "
                        + "-a \(command.words[1]) -d '\(summary)'")
                condition += "; and __fish_seen_subcommand_from \(command.words[1])"
            }
            for option in command.syntax.options {
                let value = option.value == nil ? "" : option.name == "--format" ? " -x -a '\(formats)'" : " -r"
                lines.append(
                    "complete -c gwnode -n '\(condition)' -l \(option.name.dropFirst(2))\(value) "
                        + "-d '\(quoted(option.summary))'")
            }
        }
        let shells = Self.allCases.map(\.rawValue).joined(separator: " ")
        lines.append("complete -c gwnode -f -n '__fish_seen_subcommand_from completions' -a '\(shells)'")
        return lines.joined(separator: "\n") + "\n"
    }

    /// For single quotes of fish, in which a backslash escapes.
    private static func quoted(_ text: String) -> String {
        text.replacing("\\", with: "\\\\").replacing("'", with: "\\'")
    }
}
