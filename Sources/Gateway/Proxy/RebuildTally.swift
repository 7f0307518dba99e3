import Synchronization

/// Connections of clients whose machine died, and what is known of those of other machines, since the node's start.
package struct RebuiltConnections: Codable, Hashable, Sendable {
    /// They went on here.
    package var here: UInt64
    /// They could not go on, and their clients were told.
    package var ended: UInt64
    /// Their clients had ended them.
    package var gone: UInt64
    /// How many this node could try to go on with now.
    package var known: UInt64
    /// Records for which there was no room.
    package var refused: UInt64
    /// Records that this node sent to the others.
    package var shared: UInt64

    package init(
        here: UInt64 = 0, ended: UInt64 = 0, gone: UInt64 = 0, known: UInt64 = 0, refused: UInt64 = 0,
        shared: UInt64 = 0
    ) {
        self.here = here
        self.ended = ended
        self.gone = gone
        self.known = known
        self.refused = refused
        self.shared = shared
    }

    /// In the order of the initialiser.
    var counts: [UInt64] { [here, ended, gone, known, refused, shared] }

    /// Whether there was a rebuild at all.
    package var hasRebuilt: Bool { here + ended + gone > 0 }
}

/// The same, counted on any thread.
package final class RebuildTally: Sendable {
    private let here = Atomic<UInt64>(0)
    private let ended = Atomic<UInt64>(0)
    private let gone = Atomic<UInt64>(0)
    private let known = Atomic<UInt64>(0)
    private let refused = Atomic<UInt64>(0)

    init() {}

    package func add(_ outcome: Rebuild.Tally) {
        here.add(UInt64(outcome.restored), ordering: .relaxed)
        ended.add(UInt64(outcome.ended), ordering: .relaxed)
        gone.add(UInt64(outcome.gone), ordering: .relaxed)
    }

    package func known(_ count: Int) { known.store(UInt64(count), ordering: .relaxed) }
    package func refused(_ count: Int) { refused.add(UInt64(count), ordering: .relaxed) }

    func counts(_ sharing: ConnectionSharing?) -> RebuiltConnections {
        RebuiltConnections(
            here: here.load(ordering: .relaxed), ended: ended.load(ordering: .relaxed),
            gone: gone.load(ordering: .relaxed), known: known.load(ordering: .relaxed),
            refused: refused.load(ordering: .relaxed), shared: sharing?.count ?? 0)
    }
}
