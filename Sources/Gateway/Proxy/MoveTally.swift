import Synchronization

/// Open connections of clients that changed nodes, by how it went, since the node's start.
package struct MovedConnections: Codable, Hashable, Sendable {
    /// They went on at another node.
    package var away: UInt64
    /// They came from another node and went on here.
    package var here: UInt64
    /// They could not be moved, or not be made anew.
    package var lost: UInt64
    /// How many would be moved now, because they are at rest, if the node's process were killed.
    package var guarded: UInt64

    package init(away: UInt64 = 0, here: UInt64 = 0, lost: UInt64 = 0, guarded: UInt64 = 0) {
        self.away = away
        self.here = here
        self.lost = lost
        self.guarded = guarded
    }

    /// Whether there was a move at all.
    package var hasMoved: Bool { away + here + lost > 0 }
}

/// How many open connections of clients have changed nodes, since the start.
package final class MoveTally: Sendable {
    private let away = Atomic<UInt64>(0)
    private let here = Atomic<UInt64>(0)
    private let ended = Atomic<UInt64>(0)

    init() {}

    package func movedAway(_ count: Int) { away.add(UInt64(count), ordering: .relaxed) }
    package func movedHere(_ count: Int) { here.add(UInt64(count), ordering: .relaxed) }
    /// They could not be moved, or not be made anew.
    package func lost(_ count: Int) { ended.add(UInt64(count), ordering: .relaxed) }

    func add(to moved: inout MovedConnections) {
        moved.away += away.load(ordering: .relaxed)
        moved.here += here.load(ordering: .relaxed)
        moved.lost += ended.load(ordering: .relaxed)
    }
}
