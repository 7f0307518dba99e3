import Posix

/// Connections of other machines that nobody can go on with, until their clients should have learnt of it. A pure core: time
/// in, whom to ask out.
///
/// Each client is asked for its sequence numbers (`TCPSegment.init(asking:)`) while the kernel may answer for itself: it has
/// no such connection, and resets it. Should it have one, because the client has connected anew from the same port, that
/// goes on undisturbed. A client that waits for an answer never sends anything by itself, and any of these segments may be
/// lost, or not even leave: where a neighbour's address is asked for in vain, systems ask again a second later. So it is
/// repeated, for longer than a neighbour takes to be found.
package struct ConnectionEndings: Sendable {
    package enum Limit {
        /// From one question to the next. Systems answer a SYN but once in half a second.
        package static let pauses = [60, 600, 600, 1_200, 2_400, 4_800, 4_800].map { Nanoseconds.milliseconds($0) }
        /// Asked at one time, and from one such time to the next.
        package static let burst = 256
        package static let burstPause = Nanoseconds.milliseconds(1)
        /// At most this many are asked; those that were asked most often are left out first.
        package static let capacity = SharedConnections.capacity
    }

    private struct Batch {
        var records: [ConnectionRecord]
        var nextAt: Instant
        var asked = 0
    }

    /// In the order in which they came.
    private var batches: [Batch] = []

    package init() {}

    package var count: Int { batches.reduce(0) { $0 + $1.records.count } }
    /// When `turn` is due; nil when there is nothing more to do.
    package var nextDeadline: Instant? { batches.lazy.map(\.nextAt).min() }

    package mutating func add(_ records: [ConnectionRecord], at now: Instant) {
        let records = records.prefix(Limit.capacity)
        while count + records.count > Limit.capacity { batches.removeFirst() }
        var at = now
        for piece in records.pieces(of: Limit.burst) {
            batches.append(Batch(records: Array(piece), nextAt: at))
            at = at + Limit.burstPause
        }
    }

    /// The connections to `addresses` whose clients are still being asked.
    package func pending(to addresses: Set<IPAddress>) -> [ConnectionRecord.Flow] {
        batches.flatMap(\.records).lazy.map(\.flow).filter { addresses.contains($0.local.ip) }
    }

    /// Other nodes end those to all other addresses.
    package mutating func keep(to addresses: Set<IPAddress>) {
        for index in batches.indices { batches[index].records.removeAll { !addresses.contains($0.local.ip) } }
        batches.removeAll { $0.records.isEmpty }
    }

    /// Returns whom to ask now.
    package mutating func turn(at now: Instant) -> [ConnectionRecord] {
        var due: [ConnectionRecord] = []
        for index in batches.indices where batches[index].nextAt <= now && due.count < Limit.burst {
            due += batches[index].records
            if batches[index].asked < Limit.pauses.count {
                batches[index].nextAt = now + Limit.pauses[batches[index].asked]
            }
            batches[index].asked += 1
        }
        batches.removeAll { $0.asked > Limit.pauses.count }
        return due
    }
}
