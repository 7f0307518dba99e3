import Posix
import Synchronization

/// How long disk and peers take, for whoever watches the cluster. Readable from any thread.
package final class RaftTimes: Sendable {
    /// From the writing of a batch of the log until it is durable; written by the disk thread.
    package let syncs = SharedHistogram()
    private let byPeer = Mutex<[NodeID: SharedHistogram]>([:])

    init() {}

    /// From the sending of a round of heartbeats to each peer's answer, while this node led.
    package var roundTrips: [NodeID: LatencyHistogram] { byPeer.withLock { $0.mapValues(\.snapshot) } }

    /// For the consensus thread alone.
    func note(_ stamp: HeartbeatStamp, answeredBy peer: NodeID, at now: Instant) {
        byPeer.withLock { peers in
            if peers[peer] == nil { peers[peer] = SharedHistogram() }
            peers[peer]?.record(now - stamp.sentAt)
        }
    }
}
