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
            .value("--admin", "HOST:PORT", "Where its admin API is reached; unix:PATH for a socket on its machine."),
            .flag("--learner", "Never give it a vote."),
            .value("--ask", "ADDRESS[,...]", "Ask these nodes, in this order: HOST:PORT, or unix:PATH."),
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

    static let nodeDrainSyntax = CommandSyntax(
        operands: "NODE", operandCount: 1...1, options: accessOptions,
        summary: "Takes leadership and the virtual addresses off a node, and keeps them off.",
        details: """
            NODE is a name or an id. The addresses move without a failed request, and the command returns when they have. \
            Until `node undrain`, over restarts too, the node leads only if no other can; it serves its own addresses as \
            before, and its /readyz answers 503. \(accessDetails)
            """,
        examples: [("gwnode node drain gw1", "before the machine of gw1 is serviced")])

    static let nodeUndrainSyntax = CommandSyntax(
        operands: "NODE", operandCount: 1...1, options: accessOptions,
        summary: "Lets a drained node lead and hold the virtual addresses again.",
        details: "NODE is a name or an id. Nothing moves back by that. \(accessDetails)",
        examples: [("gwnode node undrain gw1", "after its machine was serviced")])
}
