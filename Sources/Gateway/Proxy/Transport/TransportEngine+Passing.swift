import Posix

/// What is the same for plain and secured connections.
extension TransportEngine where Base: ~Copyable {
    mutating func accept(on listener: ListenerID, descriptor: Int32) throws(SystemError) {
        try base.accept(on: listener, descriptor: descriptor)
    }

    mutating func pauseAccepting(on listener: ListenerID) { base.pauseAccepting(on: listener) }
    mutating func resumeAccepting(on listener: ListenerID) { base.resumeAccepting(on: listener) }
    mutating func finishAccepting(on listener: ListenerID) { base.finishAccepting(on: listener) }
    mutating func removeListener(_ listener: ListenerID) { base.removeListener(listener) }

    mutating func adopt(_ descriptor: Int32, as slot: Slot) throws(SystemError) { try base.adopt(descriptor, as: slot) }

    mutating func connect(_ slot: Slot, to address: SocketAddress) throws(SystemError) {
        try base.connect(slot, to: address)
    }

    /// False for secured connections too: their bytes have to be looked at.
    @inline(__always)
    mutating func splice(_ source: Slot, to target: Slot, count: UInt64) -> Bool {
        guard secured(source) == nil, secured(target) == nil else { return false }
        return base.splice(source, to: target, count: count)
    }

    @inline(__always)
    func unsplicedBytes(_ source: Slot) -> UInt64 { base.unsplicedBytes(source) }

    func isSpliceHeldUp(_ source: Slot) -> Bool { base.isSpliceHeldUp(source) }

    @inline(__always)
    mutating func settle(_ slot: Slot) { base.settle(slot) }

    @inline(__always)
    func unsentBytes(_ slot: Slot) -> Int { base.unsentBytes(slot) }

    @inline(__always)
    func mayHaveInput(_ slot: Slot) -> Bool {
        if let channel = secured(slot), !channel.pointee.unread.isEmpty { return true }
        return base.mayHaveInput(slot)
    }

    /// Of plain connections only.
    mutating func detach(_ slot: Slot) { base.detach(slot) }
    mutating func takeDetached(_ slot: Slot) -> DetachedSocket { base.takeDetached(slot) }

    mutating func share(_ slot: Slot) { base.share(slot) }
    func descriptor(_ slot: Slot) -> Int32 { base.descriptor(slot) }
    var isDrained: Bool { base.isDrained }

    mutating func stop() { base.stop() }

    func localAddress(_ slot: Slot) -> SocketAddress? { base.localAddress(slot) }

    func acknowledgedBytes(_ slot: Slot) -> UInt64 { base.acknowledgedBytes(slot) }
}
