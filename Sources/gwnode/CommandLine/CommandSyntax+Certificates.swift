/// The commands that make the nodes' certificates.
extension CommandName {
    private static let directoryOption = OptionSyntax.value(
        "--directory", "DIR", "Where the files of the authority lie; the present directory unless told.")

    static let certificatesInitSyntax = CommandSyntax(
        options: [
            directoryOption,
            .value("--days", "N", "How long the authority is valid, 1 to 7300 days; 3650 unless told."),
        ],
        summary: "Makes the authority that certifies the nodes of a cluster.",
        details: """
            Writes ca.crt, which every node needs, and ca.key, which no node needs: keep it where certificates are \
            made. Files that are there already are left alone.
            """,
        examples: [("gwnode certificates init --directory secrets", "then: gwnode certificates issue")])

    static let certificatesIssueSyntax = CommandSyntax(
        operands: "NODEFILE", operandCount: 1...1,
        options: [
            directoryOption,
            .value("--node", "N", "Only for the peer of this id; for all peers unless told."),
            .value("--operator", "NAME", "For somebody who asks the admin API with adminTls, instead of for nodes."),
            .value("--days", "N", "How long they are valid, 1 to 3650 days; 825 unless told."),
            .flag("--renew", "Replace certificates and keys that are there."),
        ],
        summary: "Makes a certificate and a key for each peer of a node file.",
        details: """
            Writes node-N.crt and node-N.key, or operator-NAME.crt and operator-NAME.key. A running node takes renewed files within a second, for new \
            connections; it need not be restarted.
            """,
        examples: [
            ("gwnode certificates issue gw1.json5 --directory secrets", "for all nodes of the cluster"),
            ("gwnode certificates issue gw1.json5 --node 2 --renew", "a new one for node 2"),
            (
                "gwnode certificates issue gw1.json5 --operator anna",
                "then: gwnode status --ca ca.crt --certificate ..."
            ),
        ])
}
