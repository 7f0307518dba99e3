/// The requests of one upstream that wait for room, over all workers of a node, in the order in which they came.
package struct WaitingLine: Sendable {
    package struct Waiter: Hashable, Sendable {
        package var worker: Int
        package var client: Slot
        /// Different for each wait of a node's upstream, never 0.
        package var ticket: UInt64
    }

    private var waiters: [Waiter] = []
    /// The waiters in front of it have left.
    private var head = 0
    private var lastTicket: UInt64 = 0

    package init() {}

    package var count: Int { waiters.count - head }

    /// Nil when `limit` requests wait already.
    package mutating func enter(worker: Int, client: Slot, limit: Int) -> Waiter? {
        guard count < limit else { return nil }
        lastTicket += 1
        let waiter = Waiter(worker: worker, client: client, ticket: lastTicket)
        waiters.append(waiter)
        return waiter
    }

    /// Puts one that was called too early back in front.
    package mutating func goBack(_ waiter: Waiter) {
        if head > 0 {
            head -= 1
            waiters[head] = waiter
        } else {
            waiters.insert(waiter, at: 0)
        }
    }

    /// Calls the next one; it has then left.
    package mutating func call() -> Waiter? {
        guard head < waiters.count else { return nil }
        head += 1
        let waiter = waiters[head - 1]
        // Each is moved once for each time that it leaves half of the memory behind.
        if head * 2 > waiters.count {
            waiters.removeFirst(head)
            head = 0
        }
        return waiter
    }

    /// One leaves without having been called; false if it was called before.
    package mutating func leave(_ ticket: UInt64) -> Bool {
        // Those that leave are mostly the ones that have waited longest.
        guard let index = waiters[head...].firstIndex(where: { $0.ticket == ticket }) else { return false }
        waiters.remove(at: index)
        return true
    }
}
