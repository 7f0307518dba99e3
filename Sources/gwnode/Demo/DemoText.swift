import Gateway
import Posix

/// What the demo prints when it is up: where everything is, and what to try.
enum DemoText {
    static func introduction(_ layout: DemoLayout, _ processes: DemoProcesses, _ status: StatusDocument) -> String {
        let base = layout.virtualAddress
        let leader = status.leader.map { "gw\($0)" } ?? "nobody"
        let nodes = (1...DemoLayout.nodeCount).map { node in
            row(
                "gw\(node)", processes.pid("gw\(node)"),
                "proxy \(layout.proxy(node))   admin \(layout.admin(node))   raft \(layout.raft(node))"
                    + (leader == "gw\(node)" ? "   leader" : ""))
        }
        let backends = (1...DemoLayout.backendCount).map { number in
            row("b\(number)", processes.pid("b\(number)"), layout.backend(number).description)
        }
        let admins = layout.admins.map(\.description).joined(separator: ",")
        let leaderPID = processes.pid(leader).map { "\($0)" } ?? "PID"
        let nodeCommands = (1...DemoLayout.nodeCount).map { processes.command(processes.nodeArguments($0)) }
        let backendCommands = (1...DemoLayout.backendCount).map { processes.command(processes.backendArguments($0)) }
        return """

            The cluster is up. \(leader) holds the virtual address \(base).

            \(nodes.joined(separator: "\n"))
            \(backends.joined(separator: "\n"))
              logs, configuration and data: \(layout.directory)

            Try in another terminal:
              curl http://\(base)/round-robin      also /random /weighted /least-connections /ip-hash /peak-ewma
              \(processes.command(["status", "--admin", admins]))
              kill -9 \(leaderPID)                               the leader; then curl again
              \(processes.command(["drill", "--kind", "kill", "--admin", admins]))

            Start a killed one again:
            \((nodeCommands + backendCommands).map { "  \($0) &" }.joined(separator: "\n"))

            Events follow; ^C stops everything.

            """
    }

    private static func row(_ title: String, _ pid: Int32?, _ text: String) -> String {
        let name = title + String(repeating: " ", count: max(0, 5 - title.count))
        return "  \(name) pid \(pid.map(String.init) ?? "-")   \(text)"
    }
}
