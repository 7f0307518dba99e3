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

    static let drillSyntax = CommandSyntax(
        options: accessOptions + [
            .value("--kind", "KIND", "kill, stop, cut or transfer; transfer unless told."),
            .value("--count", "N", "How many rounds, 1 to 1000; 5 unless told."),
            .flag("--yes", "Do not ask whether to break a cluster that is more than a demo."),
        ],
        summary: "Breaks the leader of the running cluster again and again, and measures the failover.",
        details: """
            kill sends its process SIGKILL, stop SIGSTOP, cut has nftables drop what the nodes say to each other at \
            its machine, and transfer hands leadership over as planned. All but transfer need a voter's process on \
            this machine: if another node leads, leadership is handed to that one first. Each round waits until all \
            is well, then counts from the fault: DETECTION until another node knows that the leader is gone, \
            ELECTION until one leads, ADDRESS until it holds the virtual addresses, FIRST ANSWER until clients are \
            served and lose nothing any more; LOST are the requests that got no answer within a second, of one every \
            5 ms. What no node can be asked for is -. What was broken is mended, also after ^C: a stopped process \
            goes on, a killed one is started as it was (by systemd where that runs it), a cut ends, of itself after \
            30 seconds too. Exits 0 when all rounds went well. \(accessDetails)
            """,
        examples: [
            ("gwnode drill --kind kill --count 30", "in the demo, or on a node"),
            ("gwnode drill --count 10", "planned moves, from anywhere"),
        ])

    static let upgradeSyntax = CommandSyntax(
        options: accessOptions,
        summary: "Lets a newly installed gwnode take the place of a running node's process; no connection is dropped.",
        details: """
            Install the new program where the running one lies (as packages do), then call this on the machine. The new \
            process takes listeners, resting connections, the virtual addresses and, at the leader, leadership; the \
            former one ends when its WebSockets, TLS connections and long answers have, or after upgradeTimeout. Returns \
            when the new process has served for two seconds as a member of the cluster. If it can not, the former \
            program goes on, and this says why and exits 1. SIGUSR2 to the process does the same. \(accessDetails)
            """,
        examples: [("gwnode upgrade --config /etc/gwnode/node.json5", "after the package was upgraded, on each node")])

    static let nodeUndrainSyntax = CommandSyntax(
        operands: "NODE", operandCount: 1...1, options: accessOptions,
        summary: "Lets a drained node lead and hold the virtual addresses again.",
        details: "NODE is a name or an id. Nothing moves back by that. \(accessDetails)",
        examples: [("gwnode node undrain gw1", "after its machine was serviced")])
}
