import CLinux
import Posix

/// How a worker tells other nodes of connections (`ConnectionSharing`).
///
/// A connection is shared when it has been at rest for one to two intervals, and not once for each request: what it costs
/// does not depend on how many requests there are, and short connections cost nothing. Others need not hear that a connection is
/// no longer at rest: the client will tell them, by its sequence numbers. One that is never found at rest is shared as
/// such, so that its client can be told when this machine dies.
struct WorkerSharing {
    let sharing: ConnectionSharing
    private let recordsInInterval: Int
    /// The place of a connection is its slot's number, behind that of its worker.
    private let firstPlace: UInt32
    private static let slotBits: UInt32 = 24
    /// At one look, so that no turn takes long.
    static let slotsInLook: UInt32 = 4096
    var nextLook: Instant
    /// Where the next look begins.
    var cursor: UInt32 = 0
    /// Of this look.
    private(set) var round: UInt32 = 0
    private(set) var records: [ConnectionRecord] = []

    init(_ sharing: ConnectionSharing, worker: Int, of workers: Int, at now: Instant) {
        self.sharing = sharing
        recordsInInterval = ConnectionSharing.recordsInInterval(ofEach: workers)
        firstPlace = UInt32(worker) << Self.slotBits
        nextLook = now + ConnectionSharing.interval
        records.reserveCapacity(recordsInInterval)
    }

    /// Nil for a slot beyond the places.
    func place(_ slot: Slot) -> UInt32? { slot.index >> Self.slotBits == 0 ? firstPlace | slot.index : nil }

    mutating func beginLook(at now: Instant) {
        nextLook = now + ConnectionSharing.interval
        round = sharing.round
    }

    var isFull: Bool { records.count >= recordsInInterval }

    mutating func add(_ record: ConnectionRecord) { records.append(record) }

    mutating func publish() {
        if records.isEmpty { return }
        sharing.publish(records)
        records.removeAll(keepingCapacity: true)
    }
}

extension Worker where E: ~Copyable {
    /// To be called at the end of a turn: what the kernel has handed over by then is used or lies unread.
    mutating func shareResting() {
        guard let look = sharing?.nextLook, now >= look, engine.isDrained else { return }
        sharing?.beginLook(at: now)
        guard sharing?.sharing.isOn == true, departure == nil else { return }
        let slots = clients.touchedSlots
        var index = max(sharing?.cursor ?? 0, slots.lowerBound)
        let end = min(index + WorkerSharing.slotsInLook, slots.upperBound)
        while index < end, sharing?.isFull == false {
            let client = clients[Slot(index)]
            if client.pointee.state == .open, client.pointee.isPortable { lookAt(Slot(index), client) }
            index += 1
        }
        sharing?.cursor = index < slots.upperBound ? index : slots.lowerBound
        sharing?.publish()
    }

    @inline(__always)
    private mutating func lookAt(_ slot: Slot, _ client: UnsafeMutablePointer<ClientConnection>) {
        let isDue = client.pointee.shared.renewAt <= now || client.pointee.shared.round != sharing?.round
        guard isDue || client.pointee.shared.requestBegan != client.pointee.startedAt else { return }
        if client.pointee.exchange.isIdle, shareAtRest(slot, client) { return }
        if isDue { shareBusy(slot, client) }
    }

    /// Only what was at rest at the look before, too: an answer may be complete and still wait to be sent with others.
    /// - Returns: false when it is not at rest.
    private mutating func shareAtRest(_ slot: Slot, _ client: UnsafeMutablePointer<ClientConnection>) -> Bool {
        guard client.pointee.shared.restBegan == client.pointee.startedAt else {
            client.pointee.shared.restBegan = client.pointee.startedAt
            return false
        }
        guard !engine.mayHaveInput(slot), engine.unsentBytes(slot) == 0, let place = sharing?.place(slot) else {
            return false
        }
        if let local = sharedAddress(slot) {
            let descriptor = engine.descriptor(slot)
            var rest = clinux_tcp_rest()
            guard clinux_tcp_is_at_rest(descriptor, &rest) else { return false }
            if !client.pointee.shared.isKnown {
                guard let position = SharedPosition(of: descriptor, rest) else { return false }
                client.pointee.shared = position
                client.pointee.shared.restBegan = client.pointee.startedAt
            }
            sharing?.add(client.pointee.shared.record(rest, place: place, local: local, peer: client.pointee.peer))
        }
        client.pointee.shared.requestBegan = client.pointee.startedAt
        noteShared(client)
        return true
    }

    /// Only what was there at an earlier look, too.
    private mutating func shareBusy(_ slot: Slot, _ client: UnsafeMutablePointer<ClientConnection>) {
        guard client.pointee.shared.wasBusy else {
            client.pointee.shared.wasBusy = true
            return
        }
        if let place = sharing?.place(slot), let local = sharedAddress(slot) {
            sharing?.add(ConnectionRecord(place: place, local: local, peer: client.pointee.peer, rest: nil))
        }
        // As soon as it is at rest that is news.
        client.pointee.shared.requestBegan = .distantFuture
        noteShared(client)
    }

    private func noteShared(_ client: UnsafeMutablePointer<ClientConnection>) {
        client.pointee.shared.renewAt = now + ConnectionSharing.renewal
        client.pointee.shared.round = sharing?.round ?? 0
    }

    /// This end of it, if its address is shared.
    private func sharedAddress(_ slot: Slot) -> SocketAddress? {
        guard let local = engine.localAddress(slot), sharing?.sharing.shares(local.ip) == true else { return nil }
        return local
    }
}
