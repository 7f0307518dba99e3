import Gateway
import Glibc
import Posix

extension ClusterClient {
    private static var pauseMilliseconds: Int32 { 50 }

    /// The member of that name or id.
    package func member(_ text: String) throws(CommandFailure) -> StatusDocument.Node {
        let nodes = try status().nodes
        if let node = nodes.first(where: { $0.name == text }) ?? nodes.first(where: { "\($0.id)" == text }) {
            return node
        }
        let known = nodes.map { "\($0.name) (\($0.id))" }.joined(separator: ", ")
        throw CommandFailure(
            .failure, Terminal.printable("there is no node \(text); the members are \(known)"))
    }

    /// Asks for the status until it is as wanted; false when it is not in time.
    func wait(
        _ limit: Nanoseconds, until isAsWanted: (StatusDocument) -> Bool
    ) throws(CommandFailure) -> Bool {
        let deadline = Instant.now() + limit
        while true {
            let status = try status()
            if status.quorum, isAsWanted(status) { return true }
            if Instant.now() > deadline { return false }
            _ = poll(nil, 0, Self.pauseMilliseconds)
        }
    }
}
