import CLinux
import Posix

/// How a worker entrusts connections at rest to the guard (`Custody`).
///
/// A connection is looked at when it has been at rest for one to two intervals, and not once for each request: what it
/// costs does not depend on how many requests there are. What says that it is at rest is how much of its input was taken
/// from the kernel until then. As soon as more has been taken, by whatever way, the guard leaves it alone.
struct WorkerCustody {
    static let interval = Nanoseconds.milliseconds(100)
    /// A guard that was started anew is noticed so late on a worker that has nothing to do.
    static let longestInterval = Nanoseconds.seconds(1)
    /// Connections that are looked at in one turn, so that none is long, and when the next ones are.
    static let countOfTurn: UInt32 = 2048
    static let pause = Nanoseconds.milliseconds(5)

    let custody: Custody
    /// The places of this worker.
    private let places: Range<Int>
    /// Where the next look begins.
    var cursor: UInt32 = 0
    /// Of the connections before the cursor some have to be looked at again.
    var isRestless = false
    private var generation: UInt64 = 0
    private var descriptors: [Int32] = []
    private var entries: [Custody.Entry] = []
    private(set) var slots: [Slot] = []

    init(_ custody: Custody, worker: Int, of workers: Int) {
        let share = Custody.capacity / workers
        self.custody = custody
        places = worker * share..<(worker + 1) * share
    }

    /// Nil for a slot beyond the places.
    func place(_ slot: Slot) -> Int? {
        let place = places.lowerBound + Int(slot.index)
        return place < places.upperBound ? place : nil
    }

    /// Notes what is to be passed on; its generation, which no other connection of this worker ever has.
    mutating func add(_ slot: Slot, _ descriptor: Int32, place: Int, consumed: UInt64) -> UInt64 {
        generation += 1
        custody.table.rest(place, generation: generation, consumed: consumed)
        descriptors.append(descriptor)
        entries.append(Custody.Entry(place: UInt32(place), generation: generation))
        slots.append(slot)
        return generation
    }

    var isFull: Bool { slots.count == Custody.batch }

    /// Passes on what was noted; false when the guard does not take it.
    mutating func send() -> Bool {
        defer {
            descriptors.removeAll(keepingCapacity: true)
            entries.removeAll(keepingCapacity: true)
            slots.removeAll(keepingCapacity: true)
        }
        return slots.isEmpty || custody.entrust(descriptors, entries)
    }
}

extension Worker where E: ~Copyable {
    /// The guard has nothing more to do with the connection until it is at rest again.
    @inline(__always)
    mutating func noteRequest(_ client: UnsafeMutablePointer<ClientConnection>) {
        hasUnsettled = true
        endRest(client)
    }

    @inline(__always)
    private func endRest(_ client: UnsafeMutablePointer<ClientConnection>) {
        if client.pointee.custody.rest == .guarded { counters.pointee.guardedConnections.change(by: -1) }
        client.pointee.custody.rest = .unknown
    }

    /// To be called at the end of a turn. Waits for one that left no completion: what one of them holds counts as taken.
    /// Until the next turn begins no engine takes anything from the kernel.
    mutating func entrustResting() {
        if hasUnsettled {
            hasUnsettled = false
            nextCustodyLook = min(nextCustodyLook, now + WorkerCustody.interval)
        }
        guard now >= nextCustodyLook, engine.isDrained else { return }
        nextCustodyLook = now + lookAtResting()
    }

    /// - Returns: when to look again.
    private mutating func lookAtResting() -> Nanoseconds {
        guard let guardNumber = custody?.custody.presentGuard, guardNumber != 0, departure == nil else {
            return WorkerCustody.longestInterval
        }
        let slots = clients.touchedSlots
        let first = max(custody?.cursor ?? 0, slots.lowerBound)
        let end = min(first + WorkerCustody.countOfTurn, slots.upperBound)
        var isRestless = custody?.isRestless == true
        for index in first..<max(first, end) {
            let client = clients[Slot(index)]
            if client.pointee.custody.isSettled(with: guardNumber) { continue }
            isRestless = lookAt(Slot(index), client, guardNumber) || isRestless
        }
        isRestless = !sendEntrusted() || isRestless
        let isWhole = end >= slots.upperBound
        custody?.cursor = isWhole ? 0 : end
        custody?.isRestless = !isWhole && isRestless
        if !isWhole { return WorkerCustody.pause }
        return isRestless ? WorkerCustody.interval : WorkerCustody.longestInterval
    }

    /// - Returns: whether it has to be looked at again.
    private mutating func lookAt(
        _ slot: Slot, _ client: UnsafeMutablePointer<ClientConnection>, _ guardNumber: UInt64
    ) -> Bool {
        guard client.pointee.state == .open, client.pointee.isPortable, let place = custody?.place(slot) else {
            return false
        }
        guard client.pointee.exchange.isIdle, !engine.mayHaveInput(slot), engine.unsentBytes(slot) == 0 else {
            endRest(client)
            return true
        }
        switch client.pointee.custody.rest {
        case .unknown:
            client.pointee.custody.rest = .seenOnce
            return true
        case .seenOnce, .ownAlone, .guarded: return !note(slot, client, place, guardNumber)
        }
    }

    /// False when it has to be tried again.
    private mutating func note(
        _ slot: Slot, _ client: UnsafeMutablePointer<ClientConnection>, _ place: Int, _ guardNumber: UInt64
    ) -> Bool {
        let isThere = client.pointee.custody.generation != 0 && client.pointee.custody.guardNumber == guardNumber
        client.pointee.custody.guardNumber = guardNumber
        guard isThere || isEntrustable(slot) else {
            client.pointee.custody.rest = .ownAlone
            return true
        }
        let descriptor = engine.descriptor(slot)
        let consumed = clinux_consumed_bytes(descriptor)
        if client.pointee.custody.rest != .guarded { counters.pointee.guardedConnections.change(by: 1) }
        client.pointee.custody.rest = .guarded
        if isThere {
            custody?.custody.table.rest(place, generation: client.pointee.custody.generation, consumed: consumed)
            return true
        }
        engine.share(slot)
        client.pointee.custody.generation = custody?.add(slot, descriptor, place: place, consumed: consumed) ?? 0
        return custody?.isFull == true ? sendEntrusted() : true
    }

    private func isEntrustable(_ slot: Slot) -> Bool {
        guard let own = engine.localAddress(slot)?.ip else { return false }
        return custody?.custody.addresses.contains(own) == true
    }

    /// False when the guard did not take them: then all of them are withdrawn.
    private mutating func sendEntrusted() -> Bool {
        guard let slots = custody?.slots, custody?.send() == false else { return true }
        for slot in slots { withdraw(slot) }
        return false
    }

    /// Takes a connection back from the guard, before it ends or goes elsewhere.
    mutating func withdraw(_ slot: Slot) {
        let client = clients[slot]
        guard client.pointee.custody.generation != 0 else { return }
        if let place = custody?.place(slot) { custody?.custody.table.clear(place) }
        endRest(client)
        client.pointee.custody = ClientConnection.Custody()
    }
}
