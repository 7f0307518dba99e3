import Posix
import TLS

/// The keys of session tickets, the same on every node: a client resumes its session wherever it comes to.
package struct TicketKeyring: Hashable, Sendable {
    package struct Entry: Hashable, Sendable {
        package var key: TicketKey
        package var at: WallTime

        package init(key: TicketKey, at: WallTime) {
            self.key = key
            self.at = at
        }
    }

    package enum Limit {
        /// A ticket is good for two hours and so outlived by its key many times.
        package static let keys = 3
    }

    /// After which the leader proposes another key.
    package static let rotationInterval = Nanoseconds.seconds(8 * 3600)

    /// The newest first.
    package internal(set) var entries: [Entry] = []

    package init() {}

    /// Whether it is time for another key.
    package func isDue(at now: WallTime) -> Bool {
        guard let newest = entries.first else { return true }
        let age = now.millisecondsSince1970 - newest.at.millisecondsSince1970
        return age >= Int64(Self.rotationInterval.count / 1_000_000)
    }

    /// Takes a key that is newer than all others; two leaders may have made one for the same time.
    mutating func add(_ entry: Entry) -> Outcome {
        if let newest = entries.first, entry.at <= newest.at { return .unchanged }
        entries.insert(entry, at: 0)
        if entries.count > Limit.keys { entries.removeLast() }
        return .applied
    }
}

extension TicketKeyring.Entry: BinaryCodable {
    init(from reader: inout BinaryReader) throws(DecodingFault) {
        let offset = reader.offset
        guard let key = TicketKey(bytes: try reader.readBytes("ticket key", limit: TicketKey.byteCount)) else {
            throw .invalid(what: "ticket key", offset: offset)
        }
        self.init(key: key, at: try reader.read())
    }

    func write(to writer: inout BinaryWriter) {
        writer.write(bytes: key.bytes)
        writer.write(at)
    }
}

extension TicketKeyring: BinaryCodable {
    init(from reader: inout BinaryReader) throws(DecodingFault) {
        entries = try reader.readList("ticket keys", limit: Limit.keys)
    }

    func write(to writer: inout BinaryWriter) { writer.write(list: entries) }
}
