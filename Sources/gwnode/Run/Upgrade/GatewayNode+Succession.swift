import Gateway
import Glibc
import Posix
import Raft

/// This process takes the place of another one of the node.
extension GatewayNode {
    private static let pauseMilliseconds: Int32 = 2
    /// What it serves well before the former process may forget what it keeps for another try.
    private static let provingTime = UpgradeSequence.Limit.proving / 2

    /// Tells the former process how this one does, and takes the connections of clients from it, on a thread of its own.
    func succeed(_ predecessor: Predecessor, _ inheritance: Heritage) throws(StartFailure) {
        let thread = try StartFailure.wrap { () throws(SystemError) in
            try Posix.Thread(name: "succession", stackBytes: 1 << 20) { [self] in
                while !servesWell(inheritance) { _ = poll(nil, 0, Self.pauseMilliseconds) }
                predecessor.tell(.serves)
                workers.dropInherited()
                takeConnections(from: predecessor)
            }
        }
        thread.detach()
    }

    /// Whether it does what the former process did: it is a member of the cluster, and serves on the same listeners. The
    /// former process does not wait for that for ever.
    private func servesWell(_ inheritance: Heritage) -> Bool {
        guard let raft = view.current?.raft, raft.hasQuorum || !inheritance.hadQuorum else { return false }
        var missing = workers.inherited
        // Who does not lead any more has no use for what only the leader listens on, or who was lent it.
        let virtual = Set(serving.configuration?.virtualAddresses ?? [])
        let lent = Set(raft.borrowed?.rights.map(IPAddress.init) ?? [])
        if raft.role != .leader { missing = missing.filter { !virtual.subtracting(lent).contains($0.ip) } }
        return missing.isEmpty
    }

    private func takeConnections(from predecessor: Predecessor) {
        let proof = Instant.now() + Self.provingTime
        while true {
            let until = isProven ? Instant.distantFuture : proof
            if let connections = predecessor.connections(until: until) {
                if connections.isEmpty { break }
                workers.takeIn(connections)
            }
            if !isProven, Instant.now() >= proof, view.current?.raft.hasQuorum == true || failureReason == nil {
                prove(to: predecessor)
            }
        }
        // A former process that was killed leaves this one alone.
        if !isProven { prove(to: predecessor) }
    }

    private func prove(to predecessor: Predecessor) {
        predecessor.tell(.proven)
        noteProven()
    }
}
