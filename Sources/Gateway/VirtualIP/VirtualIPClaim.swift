import Posix
import Raft

/// Decides when this node holds the virtual addresses: exactly while its lease as leader is valid.
///
/// A pure core: conditions in, actions out. Its rules:
/// - A claim waits for `claimableFrom`, when no earlier holder's lease can still run.
/// - Once addresses were given up for any reason but their removal from the configuration, the term is
///   *released*: they are never claimed again in it, and the leader is told to resign.
/// - Resignations get rare while no node can hold the addresses for long: see `Resignations`.
/// - An address is announced twice when it is claimed and again after `announcementOffsets`.
package struct VirtualIPClaim: Hashable, Sendable {
    /// What the decision depends on, as it is at `now`.
    package struct Conditions: Hashable, Sendable {
        package var now: Instant
        /// Nil when this node does not lead.
        package var lease: Lease?
        /// The addresses that this node is to hold.
        package var wanted: [IPAddress]
        package var tenure: Tenure
        package var hasCarrier: Bool
        package var isShuttingDown: Bool

        package init(
            now: Instant, lease: Lease?, wanted: [IPAddress], tenure: Tenure = .sole, hasCarrier: Bool = true,
            isShuttingDown: Bool = false
        ) {
            self.now = now
            self.lease = lease
            self.wanted = wanted
            self.tenure = tenure
            self.hasCarrier = hasCarrier
            self.isShuttingDown = isShuttingDown
        }
    }

    /// How the addresses came to this node.
    package enum Tenure: Hashable, Sendable {
        /// With leadership, all of them.
        case sole
        /// With leadership, as far as they are not lent.
        case shared
        /// Lent by the leader. Given up, they may come again in the same term: the leader decides.
        case borrowed
    }

    package enum Action: Hashable, Sendable {
        case claim(IPAddress)
        case announce(IPAddress)
        case release(IPAddress, because: Reason)
        /// This node can not hold the addresses in this term, so another one should lead.
        case resign(because: Reason)
    }

    package enum Reason: UInt8, Hashable, Sendable, CustomStringConvertible {
        case leadershipLost = 1
        case leaseExpired
        case carrierLost
        case claimFailed
        case addressTakenAway
        case removedFromConfiguration
        case shuttingDown
        case guardLost
        case movedAway

        package var description: String {
            switch self {
            case .leadershipLost: "this node no longer leads"
            case .leaseExpired: "the lease ran out"
            case .carrierLost: "the interface has no carrier"
            case .claimFailed: "the claim failed"
            case .addressTakenAway: "something else removed the address"
            case .removedFromConfiguration: "the configuration no longer has it"
            case .shuttingDown: "the node shuts down"
            case .guardLost: "the guard of the addresses does not answer"
            case .movedAway: "another node is to hold it"
            }
        }
    }

    /// When an address is announced again, counted from its claim.
    package static let announcementOffsets: [Nanoseconds] = [
        .milliseconds(20), .milliseconds(100), .milliseconds(1000),
    ]
    private struct Release: Hashable, Sendable {
        var term: Term
        var reason: Reason
    }

    /// The addresses that this node holds.
    package private(set) var held: [IPAddress] = []
    /// When `turn` must be called again at the latest; earlier calls do no harm.
    package private(set) var nextDeadline = Instant.distantFuture

    private var heldTerm = Term.zero
    private var heldUntil = Instant.zero
    private var tenure = Tenure.sole
    private var claimedAt = Instant.zero
    private var announcementsDone = 0
    private var released: Release?
    private var resignations = Resignations()

    package init() {}

    package mutating func turn(_ conditions: Conditions) -> [Action] {
        var actions: [Action] = []
        if let reason = reasonToGiveUp(conditions) { giveUp(because: reason, at: conditions.now, &actions) }
        if let lease = conditions.lease {
            if let reason = reasonAgainstHolding(lease, conditions) {
                resign(because: reason, at: conditions.now, &actions)
            } else if lease.isHeld(at: conditions.now) {
                hold(lease, conditions, &actions)
            }
        }
        nextDeadline = deadline(conditions)
        return actions
    }

    /// To be called when the provider could not claim an address, or lost one: gives everything up.
    package mutating func fail(because reason: Reason, _ conditions: Conditions) -> [Action] {
        var actions: [Action] = []
        giveUp(because: reason, at: conditions.now, &actions)
        if conditions.lease != nil { resign(because: reason, at: conditions.now, &actions) }
        nextDeadline = deadline(conditions)
        return actions
    }

    private func reasonToGiveUp(_ conditions: Conditions) -> Reason? {
        guard !held.isEmpty else { return nil }
        guard let lease = conditions.lease, isContinued(by: lease, conditions) else {
            return tenure == .borrowed ? .leaseExpired : .leadershipLost
        }
        if conditions.now >= lease.validUntil { return .leaseExpired }
        return obstacle(conditions)
    }

    /// Whether what is held now may be held by `lease` without a moment in between in which another node might.
    private func isContinued(by lease: Lease, _ conditions: Conditions) -> Bool {
        if lease.term == heldTerm { return true }
        switch conditions.tenure {
        case .sole: return false
        case .shared, .borrowed: return conditions.now < heldUntil && lease.isHeld(at: conditions.now)
        }
    }

    private func reasonAgainstHolding(_ lease: Lease, _ conditions: Conditions) -> Reason? {
        guard !conditions.wanted.isEmpty else { return nil }
        if let released, lease.term <= released.term, conditions.tenure != .borrowed { return released.reason }
        return obstacle(conditions)
    }

    private func obstacle(_ conditions: Conditions) -> Reason? {
        if conditions.isShuttingDown { return .shuttingDown }
        return conditions.hasCarrier ? nil : .carrierLost
    }

    private mutating func giveUp(because reason: Reason, at now: Instant, _ actions: inout [Action]) {
        guard !held.isEmpty else { return }
        // The addresses could be held for a while, so to resign helps.
        if now - claimedAt >= Resignations.shortestPause { resignations = Resignations() }
        actions += held.map { .release($0, because: reason) }
        held = []
        if tenure != .borrowed { released = Release(term: heldTerm, reason: reason) }
    }

    private mutating func resign(because reason: Reason, at now: Instant, _ actions: inout [Action]) {
        guard now >= resignations.next else { return }
        resignations.record(at: now)
        actions.append(.resign(because: reason))
    }

    private mutating func hold(_ lease: Lease, _ conditions: Conditions, _ actions: inout [Action]) {
        for address in held where !conditions.wanted.contains(address) {
            let reason: Reason = conditions.tenure == .sole ? .removedFromConfiguration : .movedAway
            actions.append(.release(address, because: reason))
        }
        let added = conditions.wanted.filter { !held.contains($0) }
        actions += added.flatMap { [.claim($0), .announce($0), .announce($0)] }
        held = conditions.wanted
        heldTerm = lease.term
        heldUntil = lease.validUntil
        tenure = conditions.tenure
        if !added.isEmpty {
            claimedAt = conditions.now
            announcementsDone = 0
            return
        }
        let due = Self.announcementOffsets.count { claimedAt + $0 <= conditions.now }
        if due > announcementsDone {
            announcementsDone = due
            actions += held.map { .announce($0) }
        }
    }

    private func deadline(_ conditions: Conditions) -> Instant {
        guard let lease = conditions.lease else { return .distantFuture }
        guard held.isEmpty else {
            let left = Self.announcementOffsets.dropFirst(announcementsDone)
            return min(lease.validUntil, left.first.map { claimedAt + $0 } ?? .distantFuture)
        }
        if reasonAgainstHolding(lease, conditions) != nil { return resignations.next }
        let isAhead = !conditions.wanted.isEmpty && conditions.now < lease.claimableFrom
        return isAhead ? lease.claimableFrom : .distantFuture
    }
}
