import Glibc
import Namespaces
import Posix
import Testing

/// A switch with the test's own machine and one machine for each node on it, each in a network namespace.
final class VirtualNetwork {
    static let client = "10.77.0.254"

    let nodes: ClosedRange<Int>

    init(nodes count: Int) throws {
        nodes = 1...count
        try Self.succeed("mount", "-t", "tmpfs", "tmpfs", "/run")
        // Else it has the lowest address of its ports, and another one when a node is replaced, of which nobody hears.
        try Self.ip("link", "add", "switch0", "address", "02:00:00:77:00:fe", "type", "bridge")
        try Self.ip("address", "add", "\(Self.client)/24", "dev", "switch0")
        try Self.ip("link", "set", "switch0", "up")
        try Self.ip("-6", "address", "add", "fd77::fe/64", "dev", "switch0", "nodad")
        try Self.ip("link", "set", "lo", "up")
        for node in nodes { try add(node) }
    }

    deinit {
        // Rules about a cable come to life again with another one of its name.
        _ = try? Self.succeed("nft", "flush ruleset")
        for node in nodes {
            // The kernel takes its time over a namespace; a cable deleted by name is gone at once.
            try? Self.ip("link", "delete", "cable\(node)")
            try? Self.ip("netns", "delete", "gw\(node)")
        }
        try? Self.ip("link", "delete", "switch0")
        _ = try? Program.run("umount", ["/run"])
    }

    static func address(of node: Int) -> String { "10.77.0.\(node)" }

    /// What starts a program on a node's machine: a program and its first arguments.
    static func entry(to node: Int) -> (path: String, arguments: [String]) {
        (Program.find("nsenter")!, ["--net=/run/netns/gw\(node)", "--"])
    }

    /// Pulls a node's cable: its interface loses the carrier.
    func cut(_ node: Int) throws { try Self.ip("link", "set", "cable\(node)", "down") }

    /// The guard may have been killed before it took the virtual addresses off a machine that is cut off.
    func forgetAddresses(of node: Int) throws { _ = try Self.on(node, "address", "flush", "dev", "eth0") }

    func mend(_ node: Int) throws { try Self.ip("link", "set", "cable\(node)", "up") }

    /// Takes a node's cable out of the switch at the far end: the carrier stays, but nothing arrives any more.
    func isolate(_ node: Int) throws { try Self.ip("link", "set", "cable\(node)", "nomaster") }

    enum Loss: String {
        /// Nothing of what the nodes say to each other arrives at the node; clients still reach it.
        case raftIn = "ip daddr != 10.77.0.254 ip saddr != 10.77.0.254 ip protocol { tcp, udp } drop"
        /// Nothing arrives at the node at all.
        case everythingIn = "drop"
        case someOfEverything = "numgen random mod 100 < 20 drop"
    }

    /// Loses packets on their way to a node, in front of its machine.
    func lose(_ loss: Loss, to node: Int) throws {
        try Self.succeed(
            "nft",
            """
            table netdev loss\(node) {
                chain egress {
                    type filter hook egress device "cable\(node)" priority 0
                    \(loss.rawValue)
                }
            }
            """)
    }

    /// Loses what a node's machine sends from some addresses, at the far end of its cable.
    func loseWhatIsSent(by node: Int, from addresses: [SocketAddress]) throws {
        let rules = addresses.map { "\($0.ip.isIPv4 ? "ip" : "ip6") saddr \($0.ip) drop" }
        try Self.succeed(
            "nft",
            """
            table netdev mute\(node) {
                chain ingress {
                    type filter hook ingress device "cable\(node)" priority 0
                    \(rules.joined(separator: "\n        "))
                }
            }
            """)
    }

    func loseNothing(by node: Int) throws { try Self.succeed("nft", "delete table netdev mute\(node)") }

    func loseNothing(to node: Int) throws { try Self.succeed("nft", "delete table netdev loss\(node)") }

    /// The hardware address of a node's machine.
    func hardware(of node: Int) throws -> [UInt8] {
        let words = try Self.on(node, "link", "show", "dev", "eth0").split(separator: " ")
        let label = try #require(words.firstIndex(of: "link/ether"))
        return words[label + 1].split(separator: ":").compactMap { UInt8($0, radix: 16) }
    }

    /// Whether a node's machine has `address` on its interface.
    func holds(_ node: Int, _ address: String) throws -> Bool {
        try Self.on(node, "address", "show", "dev", "eth0").contains(" \(address)/\(address.contains(":") ? 128 : 32) ")
    }

    func holders(of address: String) throws -> [Int] { try nodes.filter { try holds($0, address) } }

    /// The node to which the client's machine would send packets for `address`.
    func neighbour(of address: String) throws -> Int? {
        let entry = try Program.run("ip", ["neighbour", "show", address, "dev", "switch0"]).output
        return try nodes.first { node in
            let link = try Self.on(node, "link", "show", "dev", "eth0").split(separator: " ")
            guard let label = link.firstIndex(of: "link/ether") else { return false }
            return entry.contains(link[label + 1])
        }
    }

    private func add(_ node: Int) throws {
        try Self.ip("netns", "add", "gw\(node)")
        try Self.ip("link", "add", "cable\(node)", "type", "veth", "peer", "name", "eth0", "netns", "gw\(node)")
        try Self.ip("link", "set", "cable\(node)", "master", "switch0", "up")
        _ = try Self.on(node, "address", "add", "\(Self.address(of: node))/24", "dev", "eth0")
        _ = try Self.on(node, "-6", "address", "add", "fd77::\(node)/64", "dev", "eth0", "nodad")
        _ = try Self.on(node, "link", "set", "eth0", "up")
        _ = try Self.on(node, "link", "set", "lo", "up")
    }

    /// `ip` on a node's machine.
    private static func on(_ node: Int, _ arguments: String...) throws -> String {
        try succeed("ip", ["-netns", "gw\(node)"] + arguments)
    }

    private static func ip(_ arguments: String...) throws { try succeed("ip", arguments) }

    private static func succeed(_ program: String, _ arguments: String...) throws { try succeed(program, arguments) }

    @discardableResult
    private static func succeed(_ program: String, _ arguments: [String]) throws -> String {
        let outcome = try Program.run(program, arguments)
        try #require(outcome.succeeded, "\(program) \(arguments): \(outcome.output)")
        return outcome.output
    }
}
