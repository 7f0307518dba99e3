import Posix
import Raft

/// The gateway's side of its guard: passes the lease on, and knows what the guard last said. While no guard runs, this
/// node holds no address and does not stay the leader.
package final class GuardedAddresses: AddressKeeper {
    /// A guard that has not confirmed an order for so long is replaced by another one.
    private static let patience = Nanoseconds.seconds(1)
    /// A guard that let the lease run out by so much, because it did not hear of its extension, is not waited for.
    private static let grace = Nanoseconds.milliseconds(50)

    private let link: GuardLink
    private var wanted: [IPAddress] = []
    private var lease: Lease?
    private var share = AddressShare.all
    /// What orders asked for of which one may not be carried out yet.
    private var ordered: Set<IPAddress> = []
    private var isShuttingDown = false
    private var resignations = Resignations()
    private var lastHeld: [IPAddress] = []

    /// Starts the guard and waits until it is ready. `onChange` is called from another thread when it has news; a turn
    /// is due then.
    package init(
        interface: String, claim: InterfaceClaim, custody: Custody?, onChange: @escaping @Sendable () -> Void
    ) throws(VirtualIPError) {
        link = try GuardLink(interface: interface, claim: claim, custody: custody, onChange: onChange)
    }

    /// Goes on with the guard of a former process of this node.
    package init(
        adopting passed: PassedGuard, interface: String, custody: Custody?, onChange: @escaping @Sendable () -> Void
    ) throws(VirtualIPError) {
        link = try GuardLink(adopting: passed, interface: interface, custody: custody, onChange: onChange)
    }

    deinit { link.stop() }

    package func leaveToSuccessor() { link.leaveToSuccessor() }

    /// What the next process of this node needs to go on with the guard, once `leaveToSuccessor` was called; from any
    /// thread but that of the turns. Nil when no guard runs.
    package var pass: @Sendable () -> PassedGuard? { { [link] in link.pass() } }

    package var held: [IPAddress] { link.view.state?.held ?? [] }
    package var fence: Fence { link.view.state?.fence ?? .guard }

    package var canHold: Bool { true }

    package var guardIdentity: GuardIdentity? { link.view.identity }

    package var isClear: Bool {
        let view = link.view
        guard let state = view.state else { return view.isCleared }
        return state.isClear && state.sequence == view.sequence
    }

    package func configure(addresses: [IPAddress], ports: [UInt16]) {
        wanted = addresses
        link.set(addresses: addresses)
    }

    /// While the guard has not said what became of the last order, any of them may be.
    package var occupied: Set<IPAddress> {
        let view = link.view
        guard let state = view.state else { return view.isCleared ? [] : Set(wanted) }
        return Set(state.held + state.stuck).union(state.sequence == view.sequence ? [] : ordered)
    }

    package func keepBack(_ hold: ArrivalHold, for addresses: Set<IPAddress>) {
        link.keepBack(hold, for: hold == .nothing ? [] : Array(addresses))
    }

    package var onHold: ArrivalHold { link.view.state?.onHold ?? .nothing }

    /// Takes whom the guard shall tell of a release; from any thread.
    package var setWitnesses: @Sendable (Witnesses) -> Void { { [link] in link.set(witnesses: $0) } }

    package func turn(now: Instant, lease: Lease?, share: AddressShare, isShuttingDown: Bool) -> AddressTurn {
        let view = link.takeView()
        // What a guard that ended had held is never held again in that term.
        let usable = lease.flatMap { isUsable($0, by: share, view) ? $0 : nil }
        if usable != self.lease || share != self.share || isShuttingDown != self.isShuttingDown || view.needsLease {
            // An order that is not confirmed yet may still be carried out.
            ordered = view.unconfirmedSince == nil ? [] : ordered
            if usable != nil { ordered.formUnion(share.wanted(of: wanted)) }
            self.lease = usable
            self.share = share
            self.isShuttingDown = isShuttingDown
            link.give(lease: usable, share: share, isShuttingDown: isShuttingDown, at: now)
        }
        if let since = view.unconfirmedSince, now - since > Self.patience { link.replaceGuard() }

        var turn = AddressTurn(
            nextDeadline: view.unconfirmedSince.map { $0 + Self.patience + .milliseconds(1) } ?? .distantFuture,
            resignation: view.resignation, hasChanged: held(in: view) != lastHeld)
        lastHeld = held(in: view)
        guard let lease, !share.wanted(of: wanted).isEmpty, !isShuttingDown else { return turn }
        if isLost(lease, share, view, now) {
            if now >= resignations.next {
                resignations.record(at: now)
                turn.resignation = .guardLost
                Log.warning(
                    "vip: resigning as leader, \(VirtualIPClaim.Reason.guardLost)",
                    [.event("leadership-resigned"), .reason("\(VirtualIPClaim.Reason.guardLost)")])
            }
            turn.nextDeadline = min(turn.nextDeadline, resignations.next)
        } else if let end = view.state?.holdsUntil, !lastHeld.isEmpty {
            turn.nextDeadline = min(turn.nextDeadline, end + Self.grace)
        }
        return turn
    }

    /// What is borrowed is the leader's to lend again.
    private func isUsable(_ lease: Lease, by share: AddressShare, _ view: GuardLink.View) -> Bool {
        share.tenure == .borrowed || lease.term > view.lostThrough
    }

    private func held(in view: GuardLink.View) -> [IPAddress] { view.state?.held ?? [] }

    /// Whether the guard can not hold the addresses by this lease: it is not there, or did not hear of its extension.
    private func isLost(_ lease: Lease, _ share: AddressShare, _ view: GuardLink.View, _ now: Instant) -> Bool {
        guard let state = view.state, isUsable(lease, by: share, view) else { return true }
        return !state.held.isEmpty && now >= state.holdsUntil + Self.grace
    }
}
