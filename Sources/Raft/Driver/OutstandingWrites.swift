import Posix

/// The tickets that the disk has not finished, and since when the oldest one waits.
struct OutstandingWrites {
    private var tickets: [(id: WriteTicket.ID, since: Instant)] = []
    /// The oldest one has waited beyond the limit, and this has been acted on.
    var isStalled = false

    var oldest: Instant? { tickets.first?.since }

    mutating func add(_ id: WriteTicket.ID, at now: Instant) { tickets.append((id, now)) }

    mutating func finished(through id: WriteTicket.ID) {
        tickets.removeAll { $0.id <= id }
        isStalled = false
    }
}
