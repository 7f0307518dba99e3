import Posix
import Raft

/// Keeps virtual addresses in step with leadership. Confined to the consensus thread; no call blocks.
package protocol AddressKeeper: AnyObject {
    /// The addresses on which this node answers, as far as is known here.
    var held: [IPAddress] { get }
    var fence: Fence { get }
    /// False where something outside of the cluster spreads the traffic.
    var canHold: Bool { get }
    /// The guard that does the work; nil when there is none.
    var guardIdentity: GuardIdentity? { get }
    /// No address is left on the machine that was claimed before the last turn without a lease.
    var isClear: Bool { get }
    /// The addresses that may be on the machine.
    var occupied: Set<IPAddress> { get }
    /// Takes the configuration's addresses and ports. An address that is new here and still on the machine, left by
    /// a process that was killed, is removed; the next `turn` claims and gives up what changed.
    func configure(addresses: [IPAddress], ports: [UInt16])
    /// Before a planned move: keeps back what arrives for `addresses`, as far as they are held and the fence can do that.
    func keepBack(_ hold: ArrivalHold, for addresses: Set<IPAddress>)
    /// The latest order to keep back that is carried out.
    var onHold: ArrivalHold { get }
    /// To be called after each event of the consensus thread and at `nextDeadline`. Without a lease, because this
    /// node does not lead or its lease is being surrendered, every address is given up.
    func turn(now: Instant, lease: Lease?, share: AddressShare, isShuttingDown: Bool) -> AddressTurn
    /// Another process of this node goes on with the addresses: they stay as they are when this keeper ends.
    func leaveToSuccessor()
}

extension AddressKeeper {
    package var guardIdentity: GuardIdentity? { nil }
}

/// Which of the configured addresses a node is to hold by its lease.
package enum AddressShare: Hashable, Sendable {
    case all
    /// The leader's, where some are lent.
    case own([IPAddress])
    /// Lent to the process that began as `boot`.
    case borrowed([IPAddress], boot: UInt64)

    package func wanted(of configured: [IPAddress]) -> [IPAddress] {
        switch self {
        case .all: configured
        case .own(let addresses), .borrowed(let addresses, _): configured.filter(addresses.contains)
        }
    }

    package var tenure: VirtualIPClaim.Tenure {
        switch self {
        case .all: .sole
        case .own: .shared
        case .borrowed: .borrowed
        }
    }
}

/// The result of one turn.
package struct AddressTurn: Hashable, Sendable {
    /// When the next turn is due at the latest.
    package var nextDeadline: Instant
    /// Set when this node should give up leadership.
    package var resignation: VirtualIPClaim.Reason?
    /// Whether the set of held addresses changed.
    package var hasChanged: Bool
}

/// Carries out what `VirtualIPClaim` decides, in the process that calls it and before the call returns.
package final class VirtualIPManager: AddressKeeper {
    /// How long after a failed removal of an address it is tried again.
    package static let removalRetry = Nanoseconds.milliseconds(10)

    private let provider: any VirtualIPProvider
    private var claim = VirtualIPClaim()
    private var wanted: [IPAddress] = []
    private var extendedUntil = Instant.zero
    /// Since when an extension that came too late keeps arrivals away.
    private var closedSince: Instant?
    /// Addresses that are given up but could not be removed yet.
    private var stuck: Set<IPAddress> = []
    /// Held, and nothing is to arrive for them while `onHold` lasts.
    private var shut: Set<IPAddress> = []
    /// New connections are kept back because the lease is about to end.
    private var isClosing = false

    package init(provider: any VirtualIPProvider) { self.provider = provider }

    private var isLeft = false

    package func leaveToSuccessor() { isLeft = true }

    /// Whoever lets go of the manager, in whatever error, gives the addresses up.
    deinit {
        if isLeft { return }
        for address in stuck.union(claim.held) { remove(address) }
    }

    package var held: [IPAddress] { claim.held }
    package var fence: Fence { provider.fence }
    package var canHold: Bool { provider.canHold }
    package var isClear: Bool { claim.held.isEmpty && stuck.isEmpty }
    package var occupied: Set<IPAddress> { stuck.union(claim.held) }

    package func configure(addresses: [IPAddress], ports: [UInt16]) {
        let unknown = addresses.filter { !wanted.contains($0) && !claim.held.contains($0) }
        wanted = addresses
        provider.configure(addresses: addresses, ports: ports)
        for address in unknown { remove(address) }
    }

    package private(set) var onHold = ArrivalHold.nothing

    package func keepBack(_ hold: ArrivalHold, for addresses: Set<IPAddress>) {
        onHold = hold
        switch hold {
        case .nothing, .newConnections: shut = []
        case .everything: shut = addresses
        }
        // What was closed to arrivals is opened by the next extension.
        extendedUntil = .zero
        isClosing = false
        carryOut(hold, for: claim.held.filter(addresses.contains))
    }

    private func carryOut(_ hold: ArrivalHold, for addresses: [IPAddress]) {
        do throws(VirtualIPError) { try provider.hold(hold, for: addresses) } catch {
            Log.warning("vip: arrivals are not held back: \(error)")
        }
    }

    /// Shortly before a lease ends that nobody renewed yet, new connections wait: for its renewal, or for the next holder,
    /// which may be this node again.
    /// Returns when that begins.
    private func close(_ conditions: VirtualIPClaim.Conditions) -> Instant {
        guard !claim.held.isEmpty, let end = conditions.lease?.validUntil, let closingTime = provider.closingTime else {
            return .distantFuture
        }
        let start = end - closingTime
        let isDue = conditions.now >= start
        if isDue != isClosing, onHold == .nothing {
            isClosing = isDue
            carryOut(isDue ? .newConnections : .nothing, for: isDue ? claim.held : [])
        }
        return isDue ? .distantFuture : start
    }

    package func turn(
        now: Instant, lease: Lease?, share: AddressShare = .all, isShuttingDown: Bool = false
    ) -> AddressTurn {
        let before = claim.held
        let conditions = VirtualIPClaim.Conditions(
            now: now, lease: lease.map(fenced), wanted: share.wanted(of: wanted), tenure: share.tenure,
            hasCarrier: provider.hasCarrier,
            isShuttingDown: isShuttingDown)
        for address in stuck { remove(address) }
        var resignation = carryOut(claim.turn(conditions), conditions)
        if !claim.held.isEmpty, provider.hasLost(anyOf: claim.held) {
            resignation = carryOut(claim.fail(because: .addressTakenAway, conditions), conditions) ?? resignation
        }
        resignation = extend(conditions) ?? resignation
        let closing = close(conditions)
        let retry = stuck.isEmpty ? Instant.distantFuture : now + Self.removalRetry
        return AddressTurn(
            nextDeadline: min(claim.nextDeadline, retry, closing), resignation: resignation,
            hasChanged: claim.held != before)
    }

    /// The lease as far as it may be used here.
    private func fenced(_ lease: Lease) -> Lease {
        var lease = lease
        lease.validUntil = lease.validUntil - provider.fence.allowance
        return lease
    }

    private func extend(_ conditions: VirtualIPClaim.Conditions) -> VirtualIPClaim.Reason? {
        let open = claim.held.filter { !shut.contains($0) }
        guard !open.isEmpty, let end = conditions.lease?.validUntil, end != extendedUntil else { return nil }
        do throws(VirtualIPError) {
            let isOpen = try provider.extend(open, until: end)
            if isOpen { extendedUntil = end }
            noteClosed(!isOpen, at: conditions.now)
            return nil
        } catch {
            Log.error("vip: \(error)")
            return carryOut(claim.fail(because: .leaseExpired, conditions), conditions)
        }
    }

    /// Nothing is given up for it: a later extension of the same lease opens again, and the end of the lease decides.
    private func noteClosed(_ isClosed: Bool, at now: Instant) {
        if isClosed, closedSince == nil {
            closedSince = now
            Log.warning(
                "vip: the kernel took the extension of the lease too late; nothing arrives until it takes another one",
                [.event("gate-late")])
        } else if !isClosed, let since = closedSince.take() {
            Log.info("vip: the kernel lets arrivals in again after \((now - since).milliseconds) ms")
        }
    }

    /// The reason for resigning, when the actions ask for it.
    private func carryOut(
        _ actions: [VirtualIPClaim.Action], _ conditions: VirtualIPClaim.Conditions
    ) -> VirtualIPClaim.Reason? {
        var resignation: VirtualIPClaim.Reason?
        for action in actions {
            do throws(VirtualIPError) {
                switch action {
                case .claim(let address):
                    shut.remove(address)
                    try provider.claim(address, until: conditions.lease?.validUntil ?? conditions.now)
                    stuck.remove(address)
                    Log.info(
                        "vip: claimed \(address) term=\(conditions.lease?.term.description ?? "?")",
                        [.event("address-claimed"), .address("\(address)"), .term(conditions.lease?.term.number ?? 0)])
                case .announce(let address):
                    announce(address)
                case .release(let address, let reason):
                    remove(address)
                    Log.info(
                        "vip: released \(address), \(reason)",
                        [.event("address-released"), .address("\(address)"), .reason("\(reason)")])
                case .resign(let reason):
                    Log.warning(
                        "vip: resigning as leader, \(reason)",
                        [.event("leadership-resigned"), .reason("\(reason)")])
                    resignation = reason
                }
            } catch {
                Log.error("vip: \(error)")
                return carryOut(claim.fail(because: .claimFailed, conditions), conditions)
            }
        }
        return resignation
    }

    /// A lost announcement delays clients but is no reason to give the address up.
    private func announce(_ address: IPAddress) {
        do throws(VirtualIPError) { try provider.announce(address) } catch {
            Log.warning("vip: \(error)")
        }
    }

    private func remove(_ address: IPAddress) {
        do throws(VirtualIPError) {
            try provider.release(address)
            stuck.remove(address)
        } catch {
            if stuck.insert(address).inserted { Log.error("vip: \(error)") }
        }
    }
}
