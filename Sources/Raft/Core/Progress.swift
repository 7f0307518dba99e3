import Posix

/// What a leader knows of another member's log.
struct Progress: Hashable, Sendable {
    enum Mode: Hashable, Sendable {
        /// Where the logs meet is not known: one message at a time, the next on its reply or at `resendAt`.
        case probe
        /// The logs meet: messages follow each other without waiting, within the window.
        case replicate
        /// What the member lacks has been compacted.
        case snapshot(SnapshotSending)
    }

    struct InFlight: Hashable, Sendable {
        var through: LogIndex
        var weight: Int
    }

    /// A member that was removed gets the log through its removal, and for some time is told what is committed.
    struct Departure: Hashable, Sendable {
        var through: LogIndex
        var at: Instant
    }

    let id: NodeID
    /// Through here the member's log is durable and equal to the leader's.
    private(set) var matched = LogIndex.zero
    /// The next entry to send.
    private(set) var next: LogIndex
    var mode = Mode.probe
    private var inFlight: [InFlight] = []
    private var inFlightWeight = 0
    /// When what is under way counts as lost.
    var resendAt = Instant.zero
    /// The newest round of heartbeats that the member acknowledged.
    private(set) var acknowledged = HeartbeatStamp.never
    var lastContact = Instant.zero
    var lending = Lending()
    /// Nil for members.
    var departure: Departure?
    /// The commit index that was last sent.
    var sentCommit = LogIndex.zero
    /// Somebody waits at the member until this is committed.
    var awaitedCommit = LogIndex.zero

    init(id: NodeID, next: LogIndex) {
        self.id = id
        self.next = next
    }

    func hasRoom(within limits: Limits) -> Bool {
        inFlight.count < limits.messagesInFlight && inFlightWeight < limits.bytesInFlight
    }

    mutating func acknowledge(_ stamp: HeartbeatStamp) { acknowledged = max(acknowledged, stamp) }

    /// `entries` have just been sent from `next` on.
    mutating func sent(_ entries: [Entry], resendAt: Instant) {
        switch mode {
        case .probe:
            self.resendAt = resendAt
        case .replicate:
            guard let last = entries.last else { return }
            if inFlight.isEmpty { self.resendAt = resendAt }
            let weight = entries.reduce(0) { $0 + $1.weight }
            inFlight.append(InFlight(through: last.index, weight: weight))
            inFlightWeight += weight
            next = last.index.next
        case .snapshot:
            break
        }
    }

    /// The member's log is known to match through `index`. True when that is news.
    mutating func match(through index: LogIndex, resendAt: Instant) -> Bool {
        while let first = inFlight.first, first.through <= index {
            inFlight.removeFirst()
            inFlightWeight -= first.weight
        }
        guard index > matched else { return false }
        matched = index
        next = max(next, index.next)
        self.resendAt = resendAt
        return true
    }

    /// The member has accepted an append, so the logs meet.
    mutating func accepted() {
        switch mode {
        case .probe: if matched >= next.previous { mode = .replicate }
        case .replicate: break
        case .snapshot(let sending): if matched >= sending.snapshot.index { mode = .replicate }
        }
    }

    /// Nothing is known to be under way any more; goes on from `next` at once.
    mutating func probe(from next: LogIndex) {
        self.next = max(next, matched.next)
        mode = .probe
        resendAt = .zero
        forgetInFlight()
    }

    mutating func send(_ snapshot: Snapshot) {
        mode = .snapshot(SnapshotSending(snapshot: snapshot))
        resendAt = .zero
        forgetInFlight()
    }

    /// A member that says less than is known of it has restarted. It learns from an append where the logs meet, and
    /// with that what is committed; when none is under way, an empty one tells it.
    mutating func heard(matched index: LogIndex) {
        guard index < matched, case .replicate = mode, inFlight.isEmpty else { return }
        probe(from: next)
    }

    /// Something was sent and not answered in time.
    func isOverdue(at now: Instant) -> Bool { !inFlight.isEmpty && now >= resendAt }

    private mutating func forgetInFlight() {
        inFlight = []
        inFlightWeight = 0
    }
}
