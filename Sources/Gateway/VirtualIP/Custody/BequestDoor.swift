import CLinux
import Glibc
import Posix
import Synchronization

/// Where a gateway that was started again finds what its predecessor on this machine left: an abstract Unix address with
/// the interface in its name, at which the former guard waits. The gateway asks once it has the addresses, and gets the
/// connections themselves, and the names of those that end; the end of the way follows the last one.
///
/// Each end checks that the other one belongs to the same user, or to root.
enum BequestDoor {
    static let question: [UInt8] = [1]
    static let answer: [UInt8] = [2]
    /// In one datagram.
    static let endedCount = 64

    fileprivate static func address(_ interface: String) -> AbstractAddress {
        AbstractAddress("gwnode-left-\(interface)")
    }

    fileprivate static func open() throws(SystemError) -> FileDescriptor {
        let type = Int32(SOCK_SEQPACKET.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let raw = socket(AF_UNIX, type, 0)
        guard raw >= 0 else { throw SystemError("open a Unix socket") }
        return FileDescriptor(owning: raw)
    }

    fileprivate static func isOneOfUs(_ raw: Int32) -> Bool { [0, geteuid()].contains(clinux_peer_uid(raw)) }
}

/// The former guard's side.
final class OpenDoor: Sendable {
    /// Until a gateway that has asked takes what it is sent.
    private static let sendLimitMilliseconds: Int32 = 1000

    private let listening: FileDescriptor
    private let visitor = Mutex<GuardChannel?>(nil)

    /// Fails when another guard waits there.
    init(of interface: String) throws(SystemError) {
        let socket = try BequestDoor.open()
        guard BequestDoor.address(interface).with({ bind(socket.raw, $0, $1) }) == 0, listen(socket.raw, 4) == 0 else {
            throw SystemError("wait for the next gateway of", interface)
        }
        listening = socket
    }

    /// What is to be waited for.
    var descriptors: [Int32] { [listening.raw] + visitor.withLock { $0.map { [$0.raw] } ?? [] } }

    /// Whether a gateway of this machine has asked. The latest one counts.
    func isAsked() -> Bool {
        while true {
            let raw = clinux_accept(listening.raw, nil, nil)
            if raw < 0 { break }
            let channel = GuardChannel(owning: raw)
            if BequestDoor.isOneOfUs(raw) { visitor.withLock { $0 = channel } }
        }
        return visitor.withLock { visitor in
            switch visitor?.receive() {
            case .datagram(let bytes, let descriptors):
                descriptors.forEach { close($0) }
                return bytes == BequestDoor.question
            case .end:
                visitor = nil
                return false
            case .nothing, nil: return false
            }
        }
    }

    /// Gives copies of the descriptors to the gateway that has asked. False when it does not take them.
    func pass(_ descriptors: [Int32]) -> Bool {
        descriptors.pieces(of: Int(CLINUX_PASSED)).allSatisfy { say(BequestDoor.answer, passing: Array($0)) }
    }

    /// Names connections that end to it.
    func tell(of ended: [ConnectionRecord.Flow]) -> Bool {
        ended.pieces(of: BequestDoor.endedCount).allSatisfy { piece in
            var writer = BinaryWriter()
            writer.write(list: Array(piece))
            return say(writer.bytes, passing: [])
        }
    }

    private func say(_ bytes: [UInt8], passing descriptors: [Int32]) -> Bool {
        guard let visitor = visitor.withLock({ $0 }) else { return false }
        while !visitor.send(bytes, passing: descriptors) {
            var waiting = pollfd(fd: visitor.raw, events: Int16(POLLOUT), revents: 0)
            let isReady = errno == EAGAIN && poll(&waiting, 1, Self.sendLimitMilliseconds) == 1
            guard isReady, Int32(waiting.revents) & POLLOUT != 0 else { return false }
        }
        return true
    }
}

/// The next gateway's side: a guard of this machine whose gateway was killed, and which has connections of it.
package struct FormerGuard: ~Copyable {
    /// For so long it is of use.
    package static let patience = Bequest.patience + .seconds(1)

    package struct Left {
        package var connections: [ArrivingConnection] = []
        package var ended: [ConnectionRecord.Flow] = []
    }

    private let channel: GuardChannel
    private var hasAsked = false
    private var left = Left()

    /// Nil when there is none.
    package init?(on interface: String) {
        guard let socket = try? BequestDoor.open(),
            BequestDoor.address(interface).with({ connect(socket.raw, $0, $1) }) == 0,
            BequestDoor.isOneOfUs(socket.raw)
        else { return nil }
        channel = GuardChannel(owning: socket.take())
    }

    /// To be called again and again once the addresses are here; nil while something is still to come.
    package mutating func take() -> Left? {
        if !hasAsked {
            hasAsked = true
            guard channel.send(BequestDoor.question) else { return Left() }
        }
        while true {
            switch channel.receive() {
            case .nothing: return nil
            case .end: return left
            case .datagram(let bytes, let descriptors):
                left.connections += descriptors.compactMap(Self.connection)
                if descriptors.isEmpty { left.ended += Self.ended(bytes) }
            }
        }
    }

    private static func ended(_ bytes: [UInt8]) -> [ConnectionRecord.Flow] {
        var reader = BinaryReader(bytes)
        do throws(DecodingFault) {
            return try reader.readList("connections that end", limit: BequestDoor.endedCount)
        } catch {
            Log.error("vip: what the former guard says of connections can not be read: \(error)")
            return []
        }
    }

    private static func connection(_ descriptor: Int32) -> ArrivingConnection? {
        guard let local = Socket.localAddress(of: descriptor), let peer = Socket.peerAddress(of: descriptor) else {
            close(descriptor)
            return nil
        }
        return ArrivingConnection(DetachedSocket(descriptor: descriptor, unread: []), local: local, peer: peer)
    }
}
