/// The commands about members and the leader.
extension CommandName {
    static let membersListSyntax = CommandSyntax(
        options: accessOptions + [formatOption],
        summary: "Lists the members of the cluster, voters and learners.",
        details: accessDetails)

    static let membersAddSyntax = CommandSyntax(
        options: [
            .value("--id", "N", "The new node's number, never used before in this cluster."),
            .value("--name", "NAME", "Its name."),
            .value("--raft", "HOST:PORT", "Where the other nodes reach it."),
            .value("--admin", "HOST:PORT", "Where its admin API is reached."),
            .flag("--learner", "Never give it a vote."),
            .value("--ask", "HOST:PORT[,...]", "Ask these nodes, in this order."),
            .value("--config", "FILE", "Ask the peers of this node file."), tokenOption,
        ],
        summary: "Adds a node to the running cluster.",
        details: """
            Any node can be asked. The new one starts with `join: true` in its node file, takes over all state as a \
            learner, and becomes a voter by itself once it has caught up. A learner serves clients as any other node. Without \
            --ask and --config the nodes are those of GWNODE_ADMIN, or 127.0.0.1:8091 to 8093.
            """,
        examples: [
            (
                "gwnode members add --id 4 --name gw4 --raft 10.0.0.4:8101 --admin 10.0.0.4:8091",
                "then: gwnode run --config gw4.json5"
            )
        ])

    static let membersPromoteSyntax = CommandSyntax(
        operands: "NODE", operandCount: 1...1, options: accessOptions,
        summary: "Gives a learner a vote once it has caught up.",
        details: "NODE is a name or an id. \(accessDetails)",
        examples: [("gwnode members promote gw5", "a learner becomes a voter")])

    static let membersRemoveSyntax = CommandSyntax(
        operands: "NODE", operandCount: 1...1, options: accessOptions,
        summary: "Removes a node, dead or alive, from the cluster for good.",
        details: """
            NODE is a name or an id. A node that leads hands leadership over first. A node that runs finishes its \
            requests and stops by itself with exit code 4; started again, it does the same. \(accessDetails)
            """,
        examples: [("gwnode members remove gw1", "after gw4 has taken its place")])

    static let leaderTransferSyntax = CommandSyntax(
        options: accessOptions + [.value("--to", "NODE", "This voter, by name or id; the best one unless told.")],
        summary: "Hands leadership, and with it the virtual addresses, to another node.",
        details: "Returns when the other node leads. \(accessDetails)",
        examples: [("gwnode leader transfer --to gw2", "before the machine of the leader is serviced")])
}
