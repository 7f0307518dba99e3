import Posix

/// The tickets that the disk has not finished, and since when the oldest one waits.
package struct OutstandingWrites {
    private let limit: Nanoseconds
    private var tickets: [(id: WriteTicket.ID, since: Instant)] = []
    private var isStalled = false

    package init(limit: Nanoseconds) { self.limit = limit }

    package mutating func add(_ id: WriteTicket.ID, at now: Instant) { tickets.append((id, now)) }

    package mutating func finished(through id: WriteTicket.ID) {
        tickets.removeAll { $0.id <= id }
        isStalled = false
    }

    /// When the oldest ticket will have waited for too long; `distantFuture` once that has been noticed.
    package var nextDeadline: Instant {
        guard !isStalled, let oldest = tickets.first else { return .distantFuture }
        return oldest.since + limit
    }

    /// How long the oldest ticket has waited, once for each stall.
    package mutating func noticeStall(at now: Instant) -> Nanoseconds? {
        guard nextDeadline <= now, let oldest = tickets.first else { return nil }
        isStalled = true
        return now - oldest.since
    }
}
