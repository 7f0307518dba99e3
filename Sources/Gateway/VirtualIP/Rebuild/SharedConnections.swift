import Posix
import Raft

/// The open connections of other nodes, as these shared them. A value without clock: it knows what it is told.
///
/// Nothing here has to be right or complete: what a record says is compared with what its client says before anything is
/// done (`Rebuild`), and a connection without a record is lost as it would be without all this.
package struct SharedConnections: Sendable {
    /// Some 100 bytes each.
    package static let capacity = 65_536
    /// A record that is not renewed for so long is of a connection that has ended.
    package static let lifetime = Nanoseconds.seconds(15)
    private static let purgePause = Nanoseconds.seconds(1)

    private struct Key: Hashable {
        var node: NodeID
        var place: UInt32
    }

    private struct Entry {
        var record: ConnectionRecord
        var heardAt: Instant
        var isBequeathed = false

        var canGoOn: Bool { record.rest != nil && !isBequeathed }
    }

    private var entries: [Key: Entry] = [:]
    /// How many could go on here: they were at rest when they were shared last.
    package private(set) var resting = 0
    private var nextPurge = Instant.zero

    package init() {}

    package var count: Int { entries.count }

    /// - Returns: how many there was no room for.
    package mutating func take(_ records: [ConnectionRecord], from node: NodeID, at now: Instant) -> Int {
        if now >= nextPurge {
            keep { $0.heardAt + Self.lifetime > now }
            nextPurge = now + Self.purgePause
        }
        var refused = 0
        for record in records {
            let key = Key(node: node, place: record.place)
            let former = entries[key]
            guard former != nil || entries.count < Self.capacity else {
                refused += 1
                continue
            }
            let entry = Entry(record: record, heardAt: now)
            entries[key] = entry
            resting += (entry.canGoOn ? 1 : 0) - (former?.canGoOn == true ? 1 : 0)
        }
        return refused
    }

    private mutating func keep(_ isKept: (Entry) -> Bool) {
        entries = entries.filter { isKept($0.value) }
        countResting()
    }

    private mutating func countResting() { resting = entries.values.count { $0.canGoOn } }

    /// They go on in another way, whoever had the addresses before.
    package mutating func forget(to addresses: Set<IPAddress>) {
        keep { !addresses.contains($0.record.local.ip) }
    }

    /// The gateway of the node was killed, and its guard hands over those that can go on. The others end.
    package mutating func bequeath(from node: NodeID) {
        for key in entries.keys where key.node == node { entries[key]?.isBequeathed = true }
        countResting()
    }

    package struct Taken {
        package var records: [ConnectionRecord] = []
        /// These are handed over, or end.
        package var bequeathed: [ConnectionRecord] = []
    }

    /// Takes out the connections to `addresses`, of each the latest record.
    package mutating func take(to addresses: Set<IPAddress>, at now: Instant) -> Taken {
        var latest: [ConnectionRecord.Flow: Entry] = [:]
        for (key, entry) in entries where addresses.contains(entry.record.local.ip) {
            entries[key] = nil
            guard entry.heardAt + Self.lifetime > now else { continue }
            if let other = latest[entry.record.flow], other.heardAt >= entry.heardAt { continue }
            latest[entry.record.flow] = entry
        }
        countResting()
        var taken = Taken()
        for entry in latest.values {
            if entry.isBequeathed { taken.bequeathed.append(entry.record) } else { taken.records.append(entry.record) }
        }
        return taken
    }

    /// The addresses that there are connections to.
    package var addresses: Set<IPAddress> { Set(entries.values.lazy.map(\.record.local.ip)) }
}
