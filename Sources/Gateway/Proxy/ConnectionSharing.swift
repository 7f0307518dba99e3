import CLinux
import Posix
import Synchronization

/// What the workers tell other nodes of clients' connections. Shared by them and whoever knows the other nodes.
package final class ConnectionSharing: Sendable {
    /// How often a worker looks at them.
    static let interval = Nanoseconds.milliseconds(100)
    /// A record is sent again after this time: a node may have missed it, or be new.
    static let renewal = Nanoseconds.seconds(5)
    /// Records in an interval, of all workers together; more wait for the next one. Some 60 bytes each.
    private static let recordsInInterval = 2048

    package typealias Send = @Sendable ([ConnectionRecord]) -> Void

    private struct Order {
        var addresses: Set<IPAddress>
        var send: Send
    }

    private let order = Mutex<Order?>(nil)
    /// So that a worker need not take the lock to find nothing.
    private let hasOrder = Atomic(false)
    private let sent = Atomic<UInt64>(0)
    private let orders = Atomic<UInt32>(0)

    package init() {}

    /// From now on connections to `addresses`, which another node could hold next, are told to `send`, on the threads of the
    /// workers.
    package func share(connectionsTo addresses: Set<IPAddress>, _ send: @escaping Send) {
        order.withLock { $0 = Order(addresses: addresses, send: send) }
        orders.add(1, ordering: .relaxed)
        hasOrder.store(true, ordering: .relaxed)
    }

    package func stop() {
        hasOrder.store(false, ordering: .relaxed)
        order.withLock { $0 = nil }
    }

    /// How many records were sent since the start.
    var count: UInt64 { sent.load(ordering: .relaxed) }

    var isOn: Bool { hasOrder.load(ordering: .relaxed) }
    /// Another one whenever there may be a node that has heard of nothing yet.
    var round: UInt32 { orders.load(ordering: .relaxed) }

    func shares(_ address: IPAddress) -> Bool { order.withLock { $0?.addresses.contains(address) == true } }

    static func recordsInInterval(ofEach workers: Int) -> Int { max(recordsInInterval / workers, 16) }

    func publish(_ records: [ConnectionRecord]) {
        guard let send = order.withLock({ $0?.send }) else { return }
        sent.add(UInt64(records.count), ordering: .relaxed)
        send(records)
    }
}

/// What other nodes were told of one connection.
struct SharedPosition {
    /// Sequence numbers, clock and segment size are known.
    var isKnown = false
    /// It was not at rest at a look at which it was to be shared.
    var wasBusy = false
    /// Sequence numbers of the first byte either way; the others follow from the kernel's counts of bytes.
    var firstSent: UInt32 = 0
    var firstReceived: UInt32 = 0
    /// Of this end's clock for time stamps, of then.
    var timestamp: UInt32 = 0
    var maximumSegmentSize: UInt32 = 0
    /// When the latest request began before the connection was last seen at rest.
    var restBegan = Instant.distantFuture
    /// When the request began after which the last record was made.
    var requestBegan = Instant.distantFuture
    var renewAt = Instant.zero
    /// In which the last record was made.
    var round: UInt32 = 0

    /// Nil when the connection was not at rest the whole time.
    init?(of descriptor: Int32, _ rest: clinux_tcp_rest) {
        guard let position = try? RepairedSocket.position(of: descriptor) else { return nil }
        // The numbers belong to the counts only if nothing came in between.
        var after = clinux_tcp_rest()
        guard clinux_tcp_is_at_rest(descriptor, &after), after.sent == rest.sent, after.received == rest.received else {
            return nil
        }
        isKnown = true
        firstSent = position.send &- UInt32(truncatingIfNeeded: rest.sent)
        firstReceived = position.receive &- UInt32(truncatingIfNeeded: rest.received)
        timestamp = position.timestamp
        maximumSegmentSize = position.maximumSegmentSize
    }

    init() {}

    func record(_ rest: clinux_tcp_rest, place: UInt32, local: SocketAddress, peer: SocketAddress) -> ConnectionRecord {
        func has(_ option: Int32) -> Bool { Int32(rest.options) & option != 0 }
        let scales = TCPConnectionImage.WindowScales(sending: rest.send_scale, receiving: rest.receive_scale)
        return ConnectionRecord(
            place: place, local: local, peer: peer,
            rest: ConnectionRecord.Rest(
                options: TCPConnectionImage.Options(
                    maximumSegmentSize: maximumSegmentSize, windowScales: has(TCPI_OPT_WSCALE) ? scales : nil,
                    hasSelectiveAcknowledgements: has(TCPI_OPT_SACK),
                    timestamp: has(TCPI_OPT_TIMESTAMPS) ? timestamp : nil),
                sendSequence: firstSent &+ UInt32(truncatingIfNeeded: rest.sent),
                receiveSequence: firstReceived &+ UInt32(truncatingIfNeeded: rest.received)))
    }
}
