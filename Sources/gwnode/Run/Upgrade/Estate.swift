import Gateway
import Glibc
import Posix
import Raft

/// What a process that was suspended leaves to the next one. Its descriptors are copies, kept until the next process is
/// known to do well: what waits in the queue of a socket is lost only when nobody has it any more.
final class Estate {
    private let continuation: Continuation?
    private let hadQuorum: Bool
    private let listeners: [SocketAddress: [Int32]]
    /// Lock, Raft, admin API.
    private let sockets: [Int32]
    private let notices: Int32?
    private let passed: PassedGuard?

    init(
        continuation: Continuation?, hadQuorum: Bool, listeners: [SocketAddress: [Int32]], sockets: [Int32],
        notices: Int32?, passed: PassedGuard?
    ) {
        self.continuation = continuation
        self.hadQuorum = hadQuorum
        self.listeners = listeners
        self.sockets = sockets
        self.notices = notices
        self.passed = passed
    }

    deinit {
        for descriptor in listeners.values.joined() { close(descriptor) }
        for descriptor in sockets + extras { close(descriptor) }
    }

    private var extras: [Int32] {
        (notices.map { [$0] } ?? []) + (passed?.descriptors ?? [])
    }

    /// False when it does not take all.
    func give(to successor: Successor, continuing: Bool) -> Bool {
        for (address, descriptors) in listeners {
            for part in descriptors.pieces(of: DescriptorChannel.descriptors) {
                guard successor.send(.listeners(address), Array(part)) else { return false }
            }
        }
        let estate = UpgradeEstate(
            continuation: continuing ? continuation : nil, hadQuorum: hadQuorum, hasNotices: notices != nil,
            watch: passed?.watch)
        return successor.send(.estate(estate), sockets + extras)
    }

    /// The end of the lease, or of the grant, that the next process may go on with; nil when there is none.
    func leaseEnd(_ pause: Nanoseconds) -> Instant? {
        continuation?.leading.map { $0.longLease + pause } ?? continuation?.borrowed?.validUntil
    }
}
