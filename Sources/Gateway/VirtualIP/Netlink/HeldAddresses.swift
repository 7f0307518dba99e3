import Glibc
import Posix
import Synchronization

/// The addresses that this process has put on an interface, each with a lifetime that a thread of its own renews.
///
/// The kernel changes the addresses of all its network namespaces under one lock, which anybody may hold for long. Who
/// adds or removes an address has to wait for it; who renews a lease must not.
final class HeldAddresses: Sendable {
    private struct State: ~Copyable {
        var netlink: NetlinkSocket
        var held: Set<IPAddress> = []
    }

    /// The kernel forgets an address so long after it was last told to keep it.
    private static let lifetimeSeconds: UInt32 = 3

    private let interface: UInt32
    private let state: Mutex<State>
    /// What the last renewal failed with, until that is known.
    private let failure = Mutex<SystemError?>(nil)
    private let due: WakeEvent
    private let isStopping = Atomic(false)
    private let thread = Mutex<Thread?>(nil)

    init(interface: UInt32, _ netlink: consuming NetlinkSocket) throws(SystemError) {
        self.interface = interface
        state = Mutex(State(netlink: netlink))
        due = try WakeEvent()
        let started = try Thread(name: "lifetimes", stackBytes: 256 << 10) { [self] in renewWhenDue() }
        thread.withLock { $0 = started }
    }

    func stop() {
        isStopping.store(true, ordering: .releasing)
        due.signal()
        thread.withLock { $0.take() }?.join()
    }

    func add(_ address: IPAddress) throws(SystemError) {
        try state.withLock { state throws(SystemError) in
            try state.netlink.add(address, interface: interface, lifetimeSeconds: Self.lifetimeSeconds)
            state.held.insert(address)
        }
        failure.withLock { $0 = nil }
    }

    /// After this no renewal can bring it back, not even one that was under way.
    func remove(_ address: IPAddress) throws(SystemError) {
        try state.withLock { state throws(SystemError) in
            state.held.remove(address)
            try state.netlink.delete(address, interface: interface)
        }
    }

    /// Has all of them renewed soon; throws what the last renewal failed with. Waits for nothing.
    func renew() throws(SystemError) {
        if let failure = failure.withLock({ $0.take() }) { throw failure }
        due.signal()
    }

    private func renewWhenDue() {
        while true {
            var waiting = pollfd(fd: due.raw, events: Int16(POLLIN), revents: 0)
            _ = poll(&waiting, 1, -1)
            if isStopping.load(ordering: .acquiring) { return }
            due.clear()
            for address in state.withLock({ $0.held }) { renew(address) }
        }
    }

    private func renew(_ address: IPAddress) {
        do throws(SystemError) {
            try state.withLock { state throws(SystemError) in
                guard state.held.contains(address) else { return }
                try state.netlink.add(address, interface: interface, lifetimeSeconds: Self.lifetimeSeconds)
            }
        } catch {
            failure.withLock { $0 = error }
        }
    }
}
