import Posix
import Raft

/// Which nodes have been gone for so long that what they reported about health is to be withdrawn: they can not take
/// it back themselves, and must not outvote those who can still look. They report again when they are back.
package struct AbsenceWatch: Hashable, Sendable {
    package static let limit = Nanoseconds.seconds(5)

    private var lastPresent: [NodeID: Instant] = [:]

    package init() {}

    /// Takes in who of `nodes` is present. One that was never present counts from the first look.
    package mutating func look(at nodes: [NodeID], present: [NodeID], now: Instant) {
        for node in nodes where present.contains(node) || lastPresent[node] == nil { lastPresent[node] = now }
    }

    /// The absent nodes that `state` still has reports of.
    package func reporting(in state: ClusterState, now: Instant) -> [NodeID] {
        let absent = lastPresent.filter { now - $0.value > Self.limit }.keys.sorted()
        return absent.filter { node in state.backends.values.contains { $0.verdict(of: node) != nil } }
    }
}
