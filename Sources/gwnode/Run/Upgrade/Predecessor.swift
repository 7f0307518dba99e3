import CLinux
import Gateway
import Glibc
import Posix
import Raft

/// The process whose place this one takes, as this one sees it.
final class Predecessor: Sendable {
    /// The former process does all of its part within a second or two.
    private static let patience = Nanoseconds.seconds(20)

    private let channel: DescriptorChannel

    /// To be called before this process has a second thread: it leaves its parent's care and finds the former process at
    /// the other end of standard input.
    init?() {
        guard clinux_detach() >= 0 else { return nil }
        let raw = FileDescriptor.copy(of: STDIN_FILENO)
        guard raw >= 0 else { return nil }
        channel = DescriptorChannel(owning: raw)
        let nothing = open("/dev/null", O_RDONLY | O_CLOEXEC)
        guard nothing >= 0, dup2(nothing, STDIN_FILENO) >= 0 else { return nil }
        close(nothing)
        guard tell(.hello(pid: getpid())) else { return nil }
    }

    @discardableResult
    func tell(_ message: UpgradeMessage) -> Bool { channel.send(message.encoded()) }

    /// Returns with all that the former process leaves, once it runs consensus no more.
    /// - Parameter own: what this process would offer.
    func takeOver(_ own: UpgradeOffer, version: String) throws(StartFailure) -> Heritage {
        guard case (.offer(let offer), _) = try next() else { throw StartFailure("the running node makes no offer") }
        if let obstacle = offer.obstacle(for: own) { throw StartFailure(obstacle) }
        tell(.prepared(version: version))
        var listeners: [SocketAddress: [Int32]] = [:]
        while true {
            switch try next(for: Self.patience) {
            case (.listeners(let address), let sockets): listeners[address, default: []] += sockets
            case (.estate(let estate), let descriptors):
                guard let inheritance = Heritage(estate, descriptors, listeners: listeners) else {
                    throw StartFailure("the running node leaves less than it says")
                }
                return inheritance
            case _: throw StartFailure("the running node says something out of place")
            }
        }
    }

    /// A connection of a client for each descriptor, nil when nothing has come, an empty list when nothing comes any more.
    func connections(until deadline: Instant) -> [ArrivingConnection]? {
        switch channel.receive(until: deadline) {
        case .nothing: return nil
        case .end: return []
        case .datagram(let bytes, let descriptors):
            guard case .connections(let unread)? = try? UpgradeMessage(decoding: bytes),
                unread.count == descriptors.count
            else {
                for descriptor in descriptors { close(descriptor) }
                return nil
            }
            return zip(descriptors, unread).compactMap { descriptor, unread in
                guard let local = Socket.localAddress(of: descriptor), let peer = Socket.peerAddress(of: descriptor)
                else {
                    close(descriptor)
                    return nil
                }
                return ArrivingConnection(
                    DetachedSocket(descriptor: descriptor, unread: unread), local: local, peer: peer)
            }
        }
    }

    private func next(for limit: Nanoseconds = patience) throws(StartFailure) -> (UpgradeMessage, [Int32]) {
        switch channel.receive(until: .now() + limit) {
        case .nothing: throw StartFailure("the running node is silent")
        case .end: throw StartFailure("the running node has given the upgrade up")
        case .datagram(let bytes, let descriptors):
            do throws(DecodingFault) { return (try UpgradeMessage(decoding: bytes), descriptors) } catch {
                throw StartFailure("the running node can not be understood: \(error)")
            }
        }
    }
}

/// What a former process of the node left. The descriptors are the taker's.
struct Heritage: Sendable {
    let raft: RaftHeritage
    let admin: Int32
    let notices: Int32?
    let `guard`: PassedGuard?
    let listeners: [SocketAddress: [Int32]]
    let hadQuorum: Bool

    init?(_ estate: UpgradeEstate, _ descriptors: [Int32], listeners: [SocketAddress: [Int32]]) {
        let ofGuard = estate.watch == nil ? 0 : PassedGuard.descriptorCount
        guard descriptors.count == 3 + (estate.hasNotices ? 1 : 0) + ofGuard else { return nil }
        raft = RaftHeritage(lock: descriptors[0], listener: descriptors[1], continuation: estate.continuation)
        admin = descriptors[2]
        notices = estate.hasNotices ? descriptors[3] : nil
        `guard` = estate.watch.flatMap { PassedGuard($0, descriptors.suffix(ofGuard)) }
        self.listeners = listeners
        hadQuorum = estate.hadQuorum
    }
}
