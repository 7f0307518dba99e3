import Posix
import Raft

/// When registrations run out, as the leader counts it.
///
/// Deadlines are the leader's own and not replicated. A new leader grants every registration its whole time anew, so
/// that an election costs no backend that is alive its place; a dead one stays that much longer.
package struct RegistrationLeases: Hashable, Sendable {
    private var term: Term?
    /// By serial.
    private var deadlines: [UInt64: Instant] = [:]
    private var revision: UInt64?

    package init() {}

    /// To be called with what the leader of `term` knows now. `renewed` are serials that were renewed of late; those
    /// of registrations that are gone or were made anew count for nothing.
    package mutating func lead(
        in term: Term, _ registrations: Registrations, renewed: some Sequence<UInt64>, now: Instant
    ) {
        if self.term != term { self = RegistrationLeases() }
        self.term = term
        if revision != registrations.revision { takeOver(registrations, now: now) }
        guard !deadlines.isEmpty else { return }
        let renewed = Set(renewed)
        if renewed.isEmpty { return }
        for entry in registrations.entries.values where renewed.contains(entry.serial) {
            deadlines[entry.serial] = now + entry.registration.timeToLive
        }
    }

    /// To be called while another node leads, or none.
    package mutating func follow() { self = RegistrationLeases() }

    /// The serials that have run out, lowest first.
    package func expired(at now: Instant) -> [UInt64] { deadlines.filter { $0.value <= now }.keys.sorted() }

    private mutating func takeOver(_ registrations: Registrations, now: Instant) {
        revision = registrations.revision
        let before = deadlines
        deadlines = [:]
        for entry in registrations.entries.values {
            deadlines[entry.serial] = before[entry.serial] ?? now + entry.registration.timeToLive
        }
    }
}

extension Registration {
    package var timeToLive: Nanoseconds { .seconds(UInt64(timeToLiveSeconds)) }
}

/// The renewals that this node was asked for of late: it tells the leader of each in several reports, so that one may
/// be lost on the way.
package struct RecentRenewals: Hashable, Sendable {
    /// For which a renewal is told. A registration may live that much longer than its time.
    package static let span = Nanoseconds.seconds(2)

    private var heard: [UInt64: Instant] = [:]

    package init() {}

    package mutating func note(_ serial: UInt64, now: Instant) {
        if heard.count >= Registrations.Limit.count { forget(now) }
        if heard.count < Registrations.Limit.count || heard[serial] != nil { heard[serial] = now }
    }

    /// Lowest first.
    package mutating func serials(at now: Instant) -> [UInt64] {
        forget(now)
        return heard.keys.sorted()
    }

    private mutating func forget(_ now: Instant) { heard = heard.filter { now - $0.value <= Self.span } }
}
