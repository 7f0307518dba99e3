/// The commands for backups, and for the day on which nothing else helps.
extension CommandName {
    static let snapshotSaveSyntax = CommandSyntax(
        operands: "FILE", operandCount: 1...1,
        options: accessOptions + [.flag("--stale", "Take what the asked node has, even without a quorum.")],
        summary: "Saves all that the nodes agree on, configuration and keys, to a file.",
        details: """
            The file holds every change acknowledged before, with a checksum. One of that name is replaced once the \
            new one is whole. It has the values of all keys: keep it as they are to be kept. \(accessDetails)
            """,
        examples: [("gwnode snapshot save /var/backups/gwnode.snapshot", "every night, by cron")])

    static let snapshotShowSyntax = CommandSyntax(
        operands: "FILE", operandCount: 1...1,
        summary: "Checks a snapshot and shows what it holds.",
        examples: [("gwnode snapshot show /var/backups/gwnode.snapshot", "before it is needed")])

    static let snapshotRestoreSyntax = CommandSyntax(
        operands: "FILE", operandCount: 1...1,
        options: [
            .value("--config", "FILE", "The node file of the node to be made."),
            .value("--token", "WORD", "What the first restored node printed; none for that one."),
            .flag("--yes", "Do it; without, only what would be done is shown."),
        ],
        summary: "Makes the data directory of a node of a new cluster that goes on from a snapshot.",
        details: """
            For a cluster of which no node is left. Run it on every machine, before any node is started: on the first \
            without --token, on the others with the token that it prints. The members are the peers of the node file, \
            the same everywhere. The data directory has to be empty. Changes after the snapshot are lost. Nodes with \
            data from before are refused by the restored ones; do not let them run, for they may hold the virtual \
            address.
            """,
        examples: [
            ("gwnode snapshot restore s --config /etc/gwnode/node.json5 --yes", "on the first machine"),
            ("gwnode snapshot restore s --config /etc/gwnode/node.json5 --token 8c1f --yes", "on the others"),
        ])

    static let forceNewClusterSyntax = CommandSyntax(
        options: [
            .value("--config", "FILE", "The node file of the stopped node that is to go on alone."),
            .flag("--yes", "Do it; without, only what would be done is shown."),
        ],
        summary: "Makes a stopped node the only member of its cluster, when the quorum is lost for good.",
        details: """
            Choose the node that has applied most (`gwnode status --stale`, column APPLIED). All that it holds counts \
            as committed; what only the lost nodes held is gone. They are removed for good and must not run again: \
            together they may still be a majority and hold the virtual address. One that meets the new cluster is told \
            and stops. Then start the node and add others with `gwnode members add`, under new ids.
            """,
        examples: [("gwnode force-new-cluster --config /etc/gwnode/node.json5 --yes", "two of three machines burnt")])
}
