import Synchronization

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

    func add(to statistics: inout ProxyStatistics) {
        statistics.connectionsMovedAway = away.load(ordering: .relaxed)
        statistics.connectionsMovedHere = here.load(ordering: .relaxed)
        statistics.connectionsLostInMoves = ended.load(ordering: .relaxed)
    }
}
