import Gateway
import Posix

/// `gwnode upgrade`.
enum UpgradeCommand {
    static func run(_ client: ClusterClient) throws(CommandFailure) -> ExitCode {
        let node = try client.ask(for: NodeDocument.self, .get("/v1/node"))
        Terminal.note(
            "\(Terminal.printable(node.name)) (\(node.id)), process \(node.pid), runs version \(node.version)")
        let done = try client.ask(for: UpgradeDocument.self, .post("/v1/node/upgrade", []))
        let pause = (done.pauseMilliseconds * 10).rounded() / 10
        Terminal.write(
            "process \(done.pid) of version \(done.to) has taken over; consensus paused for \(pause) ms, "
                + "\(done.connectionsHandedOver) connections went along, \(done.connectionsLeft) end where they are\n")
        return .success
    }
}
