import Gateway

/// The commands about keys.
extension CommandName {
    private static let staleOption = OptionSyntax.flag("--stale", "Take what the asked node has, without a quorum.")

    static let keysListSyntax = CommandSyntax(
        operands: "[PREFIX]", operandCount: 0...1, options: accessOptions + [formatOption, staleOption],
        summary: "Lists the shared keys.",
        details: accessDetails,
        examples: [("gwnode keys list deploy/", "those that begin so")])

    static let keysGetSyntax = CommandSyntax(
        operands: "KEY", operandCount: 1...1, options: accessOptions + [staleOption],
        summary: "Prints the value of a key.",
        details: "The value goes to standard output as it is, its revision to standard error. \(accessDetails)",
        examples: [("gwnode keys get deploy/lock", "who holds the lock")])

    static let keysPutSyntax = CommandSyntax(
        operands: "KEY [VALUE]", operandCount: 1...2,
        options: accessOptions + [
            .value("--file", "FILE", "Take the value from this file."),
            .flag("--if-absent", "Only if there is no such key."),
            .value("--if-revision", "N", "Only if the key is still at revision N."),
        ],
        summary: "Sets a key, for all nodes and for everyone who asks them.",
        details: """
            KEY is \(KeyName.rule). A value has at most \(KeySpace.Limit.valueBytes) bytes; there are at most \
            \(KeySpace.Limit.keys) keys. Returns when a majority of the nodes has it on disk. \(accessDetails)
            """,
        examples: [
            ("gwnode keys put deploy/lock alice --if-absent", "fails if someone else holds the lock"),
            ("gwnode keys put flags/checkout on", "whatever it was before"),
        ])

    static let keysDeleteSyntax = CommandSyntax(
        operands: "KEY", operandCount: 1...1,
        options: accessOptions + [.value("--if-revision", "N", "Only if the key is still at revision N.")],
        summary: "Deletes a key.",
        details: accessDetails,
        examples: [("gwnode keys delete deploy/lock --if-revision 7", "only one's own lock")])
}
