/// The commands about the gateway configuration and what happened.
extension CommandName {
    private static let staleOption = OptionSyntax.flag(
        "--stale", "Take what the asked node has, even without a quorum.")

    static let configShowSyntax = CommandSyntax(
        options: accessOptions + [
            .value("--revision", "N", "An earlier one, as `gwnode config history` lists them."), staleOption,
        ],
        summary: "Prints the gateway configuration that is in force.",
        details: "The text goes to standard output, its revision to standard error. \(accessDetails)",
        examples: [("gwnode config show > gateway.json5", "to edit it and apply it again")])

    static let configApplySyntax = CommandSyntax(
        operands: "FILE", operandCount: 1...1,
        options: accessOptions + [.value("--if-revision", "N", "Only if revision N is still in force.")],
        summary: "Puts a gateway file in force on the whole cluster.",
        details: "Prints every problem of the file and changes nothing if there is one. \(accessDetails)",
        examples: [("gwnode config apply gateway.json5 --if-revision 4", "fails if someone was faster")])

    static let configHistorySyntax = CommandSyntax(
        options: accessOptions + [formatOption, staleOption],
        summary: "Lists the revisions that are kept, newest first.",
        details: "The last 20, as long as their texts have 4 MiB together. \(accessDetails)",
        examples: [("gwnode config show --revision 3", "the text of one of them")])

    static let configDiffSyntax = CommandSyntax(
        operands: "[FILE]", operandCount: 0...1,
        options: accessOptions + [
            .value("--from", "N", "This revision; with FILE the one in force unless told, else the one before it."),
            .value("--to", "N", "This revision; the one in force unless told. Not with FILE."), staleOption,
        ],
        summary: "Shows what a file would change, or what a revision has changed.",
        details: "Prints nothing when nothing differs. \(accessDetails)",
        examples: [
            ("gwnode config diff gateway.json5", "what applying it would change"),
            ("gwnode config diff", "what the last change was"),
            ("gwnode config diff --from 3 --to 5", "what two changes were"),
        ])

    static let configRollbackSyntax = CommandSyntax(
        operands: "[REVISION]", operandCount: 0...1,
        options: accessOptions + [.value("--if-revision", "N", "Only if revision N is still in force.")],
        summary: "Puts an earlier revision in force again on the whole cluster.",
        details: """
            The one before that in force unless told. Its text becomes a new revision, so a rollback can be rolled \
            back too. Fails if somebody applies another configuration at the same time. \(accessDetails)
            """,
        examples: [
            ("gwnode config rollback", "the last change was a mistake"),
            ("gwnode config rollback 3", "as it was before the last changes"),
        ])

    static let eventsSyntax = CommandSyntax(
        options: accessOptions + [
            formatOption, .flag("--follow", "Go on printing what happens until ^C."), staleOption,
        ],
        summary: "Lists elections, moves of the virtual addresses, and changes of health, configuration and members.",
        details: "The cluster keeps the last 256. Times are those of the nodes that noticed. \(accessDetails)",
        examples: [("gwnode events --follow", "beside a terminal in which nodes are killed")])

    static let topSyntax = CommandSyntax(
        options: accessOptions + [formatOption, .flag("--once", "Print one picture and end, for scripts.")],
        summary: "Shows requests, errors and latencies of the last second, by upstream and node, until ^C.",
        details: "The asked node knows what all nodes do. Without a terminal it prints one picture. \(accessDetails)",
        examples: [
            ("gwnode top", "where the requests go, and how long they take"),
            ("gwnode top --once --format json", "the same for programs"),
        ])
}
