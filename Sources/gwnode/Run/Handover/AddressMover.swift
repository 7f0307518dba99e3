import Gateway
import Glibc
import Posix
import Raft
import Synchronization

/// Moves virtual addresses to another node so that no client notices: all of a leader's with leadership, or, where they are
/// spread, those that it lends and those that a borrower gives back.
///
/// Connections of clients go along (`CarriedMove`) where the kernel can do that. Otherwise:
/// 1. Clients are told with their next answer that the connection ends, and requests may finish, for `timeout`.
/// 2. New connections are held back, idle ones end, and what is still under way has `holdLimit` to finish.
/// 3. Leadership is handed over, or the loan begins or ends: the addresses leave this machine, the other node claims them, and gets the held
///    connections (`ArrivalRelay`).
///
/// Without the kernel gate nothing can be held back, and the second step is left out.
final class AddressMover: Sendable {
    /// A client whose request for a connection is lost asks again after a second; held ones are let go well before.
    static let holdLimit = Nanoseconds.milliseconds(500)
    /// Until the guard has carried out the order to hold.
    private static let orderLimit = Nanoseconds.milliseconds(100)
    /// Until a handover has succeeded or was given up.
    private static let handoverLimit = Nanoseconds.seconds(1)
    private static let pauseMilliseconds: Int32 = 1

    private let raft: RaftNode<ClusterHost>
    let workers: WorkerPool
    let view: SharedClusterView
    let timeout: Nanoseconds
    /// Nil where connections can not go along.
    let carrier: ConnectionCarrier?
    private let isMoving = Atomic(false)
    let departures = AddressDepartures()

    init(
        raft: RaftNode<ClusterHost>, workers: WorkerPool, view: SharedClusterView, timeout: Nanoseconds,
        carrier: ConnectionCarrier?
    ) {
        self.raft = raft
        self.workers = workers
        self.view = view
        self.timeout = timeout
        self.carrier = carrier
    }

    /// Hands leadership to `target`, or to the voter that is closest behind, on a thread of its own. `done` is called
    /// when that has succeeded or not. Returns at once; a second move beside a first one is not begun.
    func handOver(to target: NodeID?, done: @escaping @Sendable () -> Void = {}) {
        guard !isMoving.exchange(true, ordering: .acquiringAndReleasing) else {
            Log.info("members: leadership is being handed over already")
            return done()
        }
        do throws(SystemError) {
            let thread = try Posix.Thread(name: "mover", stackBytes: 256 << 10) { [self] in
                move(to: target)
                endMove()
                done()
            }
            thread.detach()
        } catch {
            Log.error("members: leadership is not handed over: \(error)")
            isMoving.store(false, ordering: .releasing)
            done()
        }
    }

    private func endMove() {
        keepBack(.nothing, for: [])
        workers.retire([], endsIdle: false)
        isMoving.store(false, ordering: .releasing)
    }

    /// For a node that stops: hands leadership over if it leads, else what it was lent, and returns when that has
    /// succeeded or not.
    func leave() {
        let deadline = Instant.now() + timeout + Self.holdLimit + Self.handoverLimit
        let isFree = wait(until: deadline) { !isMoving.exchange(true, ordering: .acquiringAndReleasing) }
        guard isFree else { return }
        isFollower ? giveBack() : move(to: nil)
    }

    /// Returns when another node has what this one was lent.
    private func giveBack() {
        let addresses = Set(view.current?.heldAddresses ?? [])
        guard !addresses.isEmpty, isFollower else { return }
        let leave = { [self] in
            raft.perform { $0.leave() }
            _ = wait(until: .now() + Self.handoverLimit) {
                let others = view.current?.sightings.values.flatMap(\.report.heldAddresses) ?? []
                return view.current?.heldAddresses.isEmpty == true && addresses.isSubset(of: others)
            }
        }
        let isCarried = isCarried(addresses, to: view.current?.raft.leader) { leader in
            guard view.current?.raft.leader == leader else { return .refused }
            leave()
            return .begun
        }
        if isCarried, view.current?.heldAddresses.isEmpty == true { return }
        prepare(addresses)
        leave()
    }

    /// Has the clients of those addresses go ahead or leave that `departures` asks for, on a thread of its own; the addresses
    /// then wait to be taken.
    func clearDepartures() {
        guard let departure = departures.begin() else { return }
        guard !isMoving.exchange(true, ordering: .acquiringAndReleasing) else { return departures.end() }
        do throws(SystemError) {
            let thread = try Posix.Thread(name: "mover", stackBytes: 256 << 10) { [self] in
                clear(departure)
                departures.end()
                endMove()
            }
            thread.detach()
        } catch {
            Log.error("vip: the clients of \(departure.addresses) are not told that it moves: \(error)")
            departures.end()
            isMoving.store(false, ordering: .releasing)
        }
    }

    private func clear(_ departure: Departure) {
        let isCarried = isCarried(departure.addresses, to: departure.heir) { _ in
            departures.isWanted(departure) ? .begun : .refused
        } leave: {
            leave(departure.addresses)
        }
        if isCarried { return }
        prepare(departure.addresses)
        leave(departure.addresses)
    }

    private func leave(_ addresses: Set<IPAddress>) {
        departures.note(deserted: addresses)
        raft.perform { _ in }
        _ = wait(until: .now() + Self.handoverLimit) { departures.haveLeft }
    }

    /// Keeps moves from beginning; false when there is one.
    func reserve() -> Bool { !isMoving.exchange(true, ordering: .acquiringAndReleasing) }

    func letGo() { isMoving.store(false, ordering: .releasing) }

    private func move(to target: NodeID?) {
        let addresses = Set(view.current?.heldAddresses ?? [])
        if !addresses.isEmpty {
            if isCarried(addresses, to: target ?? view.current?.raft.heir, { transfer(to: $0) }) { return }
            prepare(addresses)
        }
        transfer(to: target)
    }

    /// Whether leadership was handed over, or can not be.
    @discardableResult
    func transfer(to target: NodeID?) -> HandoverOutcome {
        let outcome = Mutex<HandoverOutcome?>(nil)
        raft.transferLeadership(to: target) { refusal in
            if let refusal { Log.warning("members: leadership is not handed over: \(refusal)") }
            outcome.withLock { $0 = refusal == nil ? .begun : .refused }
        }
        _ = wait(until: .now() + Self.handoverLimit) { outcome.withLock { $0 } == .refused || isFollower }
        return outcome.withLock { $0 } ?? .begun
    }

    private var isFollower: Bool { view.current?.raft.role != .leader }

    /// The first two steps; returns when clients have left, or the time for it is over.
    private func prepare(_ addresses: Set<IPAddress>) {
        workers.retire(addresses, endsIdle: false)
        let isFree = hasNoConnections(addresses, until: .now() + timeout)
        if view.current?.fence == .kernel {
            keepBack(.newConnections, for: addresses)
            workers.retire(addresses, endsIdle: true)
            if hasNoConnections(addresses, until: .now() + Self.holdLimit) { return }
        } else if isFree {
            return
        }
        Log.warning("vip: requests are still under way after \(timeout); their connections are lost in the move")
    }

    /// Whether that was done in time.
    @discardableResult
    func keepBack(_ hold: ArrivalHold, for addresses: Set<IPAddress>) -> Bool {
        raft.perform { $0.keepBack(hold, for: addresses) }
        return wait(until: .now() + Self.orderLimit) { view.current?.onHold == hold }
    }

    private func hasNoConnections(_ addresses: Set<IPAddress>, until deadline: Instant) -> Bool {
        hasConnections(addresses, until: deadline) { $0 == 0 }
    }

    /// Waits until `condition` is true of the number of connections that the kernel knows. False when it did not become so.
    func hasConnections(_ addresses: Set<IPAddress>, until deadline: Instant, _ condition: (Int) -> Bool) -> Bool {
        do throws(SystemError) {
            let census = try ConnectionCensus()
            return try wait(until: deadline) { () throws(SystemError) in
                condition(try census.connections(to: addresses))
            }
        } catch {
            Log.warning("vip: the kernel does not tell what is under way: \(error)")
            return false
        }
    }

    func wait<Failure: Error>(
        until deadline: Instant, _ condition: () throws(Failure) -> Bool
    ) throws(Failure) -> Bool {
        while try !condition() {
            if Instant.now() >= deadline { return false }
            _ = poll(nil, 0, Self.pauseMilliseconds)
        }
        return true
    }
}

enum HandoverOutcome {
    case begun
    /// Nothing has changed.
    case refused
}
