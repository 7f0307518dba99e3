import Gateway
import Glibc
import Posix
import Raft
import Synchronization

/// Moves the virtual addresses, and leadership with them, to another node so that no client notices.
///
/// 1. Clients are told with their next answer that the connection ends, and requests may finish, for `timeout`.
/// 2. New connections are held back, idle ones end, and what is still under way has `holdLimit` to finish.
/// 3. Leadership is handed over: the addresses leave this machine, the other node claims them, and gets the held
///    connections (`ArrivalRelay`).
///
/// Without the kernel gate nothing can be held back, and the second step is left out.
final class AddressMover: Sendable {
    /// A client whose request for a connection is lost asks again after a second; held ones are let go well before.
    private static let holdLimit = Nanoseconds.milliseconds(500)
    /// Until the guard has carried out the order to hold.
    private static let orderLimit = Nanoseconds.milliseconds(100)
    /// Until a handover has succeeded or was given up.
    private static let handoverLimit = Nanoseconds.seconds(1)
    private static let pauseMilliseconds: Int32 = 1

    private let raft: RaftNode<ClusterHost>
    private let workers: WorkerPool
    private let view: SharedClusterView
    private let timeout: Nanoseconds
    private let isMoving = Atomic(false)

    init(raft: RaftNode<ClusterHost>, workers: WorkerPool, view: SharedClusterView, timeout: Nanoseconds) {
        self.raft = raft
        self.workers = workers
        self.view = view
        self.timeout = timeout
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
                raft.perform { $0.hold(false) }
                workers.retire([], endsIdle: false)
                isMoving.store(false, ordering: .releasing)
                done()
            }
            thread.detach()
        } catch {
            Log.error("members: leadership is not handed over: \(error)")
            isMoving.store(false, ordering: .releasing)
            done()
        }
    }

    /// For a node that stops: hands leadership over if it leads, and returns when that has succeeded or not.
    func leave() {
        guard view.current?.raft.role == .leader else { return }
        if isMoving.exchange(true, ordering: .acquiringAndReleasing) {
            _ = wait(until: .now() + timeout + Self.holdLimit + Self.handoverLimit) {
                !isMoving.load(ordering: .acquiring)
            }
        } else {
            move(to: nil)
        }
    }

    private func move(to target: NodeID?) {
        prepare()
        raft.transferLeadership(to: target) { refusal in
            if let refusal { Log.warning("members: leadership is not handed over: \(refusal)") }
        }
        _ = wait(until: .now() + Self.handoverLimit) { view.current?.raft.role != .leader }
    }

    /// The first two steps; returns when clients have left, or the time for it is over. No effect without addresses.
    private func prepare() {
        let addresses = Set(view.current?.heldAddresses ?? [])
        guard !addresses.isEmpty else { return }
        workers.retire(addresses, endsIdle: false)
        let isFree = hasNoConnections(addresses, until: .now() + timeout)
        if view.current?.fence == .kernel {
            raft.perform { $0.hold(true) }
            workers.retire(addresses, endsIdle: true)
            _ = wait(until: .now() + Self.orderLimit) { view.current?.isOnHold == true }
            if hasNoConnections(addresses, until: .now() + Self.holdLimit) { return }
        } else if isFree {
            return
        }
        Log.warning("vip: requests are still under way after \(timeout); their connections are lost in the move")
    }

    private func hasNoConnections(_ addresses: Set<IPAddress>, until deadline: Instant) -> Bool {
        do throws(SystemError) {
            let census = try ConnectionCensus()
            return try wait(until: deadline) { () throws(SystemError) in
                try census.connections(to: addresses) == 0
            }
        } catch {
            Log.warning("vip: the kernel does not tell what is under way: \(error)")
            return false
        }
    }

    private func wait<Failure: Error>(
        until deadline: Instant, _ condition: () throws(Failure) -> Bool
    ) throws(Failure) -> Bool {
        while try !condition() {
            if Instant.now() >= deadline { return false }
            _ = poll(nil, 0, Self.pauseMilliseconds)
        }
        return true
    }
}
