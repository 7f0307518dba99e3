import Posix
import Synchronization

/// Gives connections of clients that are at rest into the guard's custody: should this process be killed, the guard moves
/// them to the next holder of their address. Shared by the workers, which entrust connections, and by whoever keeps the
/// guard.
package final class Custody: Sendable {
    /// Connections that are passed to the guard in one datagram.
    package static let batch = 64
    /// Connections in custody at once, over all workers.
    package static let capacity = 65_536

    /// Of one connection, as it is written behind the descriptor that is passed.
    package struct Entry: Hashable, Sendable {
        /// In the table.
        package var place: UInt32
        package var generation: UInt64

        package init(place: UInt32, generation: UInt64) {
            self.place = place
            self.generation = generation
        }
    }

    package let table: CustodyTable
    private let mute: ResetMute?
    private let channel = Mutex<GuardChannel?>(nil)
    private let guardsBegun = Atomic<UInt64>(0)
    private let present = Atomic<UInt64>(0)
    private let ownAddresses = Mutex<Set<IPAddress>>([])

    /// - Parameter mute: Of this process, whose socket the guard holds with the connections.
    package init(_ mute: ResetMute? = nil) throws(SystemError) {
        table = try CustodyTable(capacity: Self.capacity)
        self.mute = mute
    }

    /// The number of the guard that takes connections; 0 while there is none.
    package var presentGuard: UInt64 { present.load(ordering: .acquiring) }

    /// Whose connections are taken.
    package var addresses: Set<IPAddress> {
        get { ownAddresses.withLock { $0 } }
        set { ownAddresses.withLock { $0 = newValue } }
    }

    /// Another guard is there. What it has to be given: its end of the way for connections, and the table.
    package func begin() throws(SystemError) -> GuardEnd {
        let ends = try GuardChannel.pair()
        let end = GuardEnd(channel: FileDescriptor(owning: ends.guard), table: table, mute: mute)
        channel.withLock { $0 = GuardChannel(owning: ends.gateway) }
        present.store(guardsBegun.add(1, ordering: .relaxed).newValue, ordering: .releasing)
        return end
    }

    /// It has ended.
    package func end() {
        present.store(0, ordering: .releasing)
        channel.withLock { $0 = nil }
    }

    /// Passes descriptors of connections on. False when the guard does not take them now.
    package func entrust(_ descriptors: [Int32], _ entries: [Entry]) -> Bool {
        var writer = BinaryWriter(reserving: entries.count * 12)
        for entry in entries {
            writer.write(entry.place)
            writer.write(entry.generation)
        }
        guard let channel = channel.withLock({ $0 }) else { return false }
        return channel.send(writer.bytes, passing: descriptors)
    }

    /// What came in one datagram.
    static func entries(_ bytes: [UInt8]) -> [Entry]? {
        var reader = BinaryReader(bytes)
        var entries: [Entry] = []
        do throws(DecodingFault) {
            while reader.offset < bytes.count {
                entries.append(Entry(place: try reader.read(), generation: try reader.read()))
            }
            return entries
        } catch { return nil }
    }
}

/// What a guard gets of its gateway's custody.
package final class GuardEnd {
    private let channel: FileDescriptor
    private let table: CustodyTable
    private let mute: ResetMute?

    init(channel: consuming FileDescriptor, table: CustodyTable, mute: ResetMute?) {
        self.channel = channel
        self.table = table
        self.mute = mute
    }

    /// As long as this lives.
    package var descriptors: [Int32] { [channel.raw, table.raw] + (mute.map { [$0.socket] } ?? []) }
}
