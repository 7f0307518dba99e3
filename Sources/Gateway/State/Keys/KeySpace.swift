import Posix

/// Small facts that the machines around the gateway share: deploy locks, feature flags, registrations.
///
/// Not part of `ClusterState`, which every thread gets a copy of whenever it changes: keys may change thousands of
/// times a second, and nothing that the gateway serves depends on them.
package struct KeySpace: Hashable, Sendable {
    /// Upper limits on what is kept, low enough for every snapshot to carry all of it.
    package enum Limit {
        package static let keys = 4096
        package static let nameBytes = 128
        package static let valueBytes = 16 << 10
        /// Of names and values taken together.
        package static let totalBytes = 4 << 20
    }

    package private(set) var records: [KeyName: KeyRecord] = [:]
    /// That of the last change to any key.
    package private(set) var revision = KeyRevision.none
    /// Of names and values.
    package private(set) var bytes = 0

    package init() {}

    /// Carries out one change. A refused one changes nothing.
    package mutating func apply(_ change: KeyChange) -> Outcome {
        let current = records[change.key]
        guard change.condition.allows(current?.revision) else {
            return .refused(.keyConflict(change.key, current: current?.revision))
        }
        guard let value = change.value else { return remove(change.key, current) }
        let grown = bytes - size(change.key, current) + change.key.text.utf8.count + value.count
        if current == nil, records.count == Limit.keys { return .refused(.tooMany(what: "keys", limit: Limit.keys)) }
        if grown > Limit.totalBytes {
            return .refused(.tooMany(what: "bytes in all keys and their values", limit: Limit.totalBytes))
        }
        bytes = grown
        revision = revision.next
        records[change.key] = KeyRecord(value: value, revision: revision, at: change.at)
        return .keyChanged(revision)
    }

    private mutating func remove(_ key: KeyName, _ current: KeyRecord?) -> Outcome {
        guard let current else { return .unchanged }
        bytes -= size(key, current)
        revision = revision.next
        records[key] = nil
        return .keyChanged(revision)
    }

    private func size(_ key: KeyName, _ record: KeyRecord?) -> Int {
        record.map { key.text.utf8.count + $0.value.count } ?? 0
    }

    /// The keys that begin with `prefix`, in order.
    package func listing(prefix: String) -> KeyListing {
        let found = records.filter { $0.key.text.hasPrefix(prefix) }.sorted { $0.key < $1.key }
        return KeyListing(revision: revision, entries: found.map { ($0.key, $0.value) })
    }
}

/// What is kept under a key.
package struct KeyRecord: Hashable, Sendable {
    /// Bytes that mean nothing to the gateway.
    package var value: [UInt8]
    package var revision: KeyRevision
    /// When it was set, by the clock of the node that proposed it.
    package var at: WallTime

    package init(value: [UInt8], revision: KeyRevision, at: WallTime) {
        self.value = value
        self.revision = revision
        self.at = at
    }
}

package struct KeyListing: Sendable {
    package var revision: KeyRevision
    package var entries: [(key: KeyName, record: KeyRecord)]

    package init(revision: KeyRevision, entries: [(key: KeyName, record: KeyRecord)]) {
        self.revision = revision
        self.entries = entries
    }
}

extension KeySpace: BinaryCodable {
    init(from reader: inout BinaryReader) throws(DecodingFault) {
        revision = KeyRevision(try reader.read())
        let entries = try reader.readList("keys", limit: Limit.keys) { reader throws(DecodingFault) in
            (try reader.read(KeyName.self), try reader.read(KeyRecord.self))
        }
        for (key, record) in entries {
            records[key] = record
            bytes += size(key, record)
        }
    }

    func write(to writer: inout BinaryWriter) {
        writer.write(revision.number)
        writer.write(list: records.sorted { $0.key < $1.key }) { writer, entry in
            writer.write(entry.key)
            writer.write(entry.value)
        }
    }
}

extension KeyRecord: BinaryCodable {
    init(from reader: inout BinaryReader) throws(DecodingFault) {
        value = try reader.readBytes("value", limit: KeySpace.Limit.valueBytes)
        revision = KeyRevision(try reader.read())
        at = try reader.read()
    }

    func write(to writer: inout BinaryWriter) {
        writer.write(bytes: value)
        writer.write(revision.number)
        writer.write(at)
    }
}
