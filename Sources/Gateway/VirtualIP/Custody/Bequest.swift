import Glibc
import Posix
import Raft
import Synchronization

/// The connections that a killed gateway left, in the hands of its guard: takes them out of the kernel and gives them to
/// the first node that holds the addresses after it, or back to the gateway of this one when that is it. It has a thread
/// of its own.
///
/// They are given to one node and never to another: two machines must not go on with one connection.
final class Bequest: Sendable {
    /// Until somebody has come for them. It is long because a gateway may have to be started again; another node comes
    /// within milliseconds. A client that asks later finds its connection reset.
    static let patience = Nanoseconds.seconds(10)

    private let socket: NoticeSocket
    /// Nil when another guard waits there.
    private let door: OpenDoor?
    private let node: NodeID
    private let term: Term
    private let key: NoticeKey
    private let taken: @Sendable () -> Void
    private let thread = Mutex<Thread?>(nil)

    /// To be made when the addresses are off the interface.
    /// - Parameters:
    ///   - open: Begun while `addresses` were on the interface.
    ///   - term: In which they were held.
    ///   - taken: Called when another node has made the connections.
    init(
        _ keeper: CustodyKeeper, of addresses: Set<IPAddress>, open: OpenFlows, on interface: String,
        by witnesses: Witnesses, term: Term, through socket: NoticeSocket, taken: @escaping @Sendable () -> Void
    ) throws(SystemError) {
        self.taken = taken
        self.socket = socket
        self.term = term
        (node, key) = (witnesses.node, witnesses.key)
        do throws(SystemError) { door = try OpenDoor(of: interface) } catch {
            Log.warning("guard: no gateway of this machine can ask for the open connections: \(error)")
            door = nil
        }
        let started = try Thread(name: "bequest", stackBytes: 256 << 10) { [self] in
            let left = Left(keeper.sortOut(addresses))
            let legacy = Legacy(left.images, open: open.all())
            Log.info(
                "guard: \(legacy.images.count) open connections wait for the next holder of their addresses, "
                    + "\(legacy.ended.count) end")
            serve(left, legacy)
            withExtendedLifetime(left) {}
        }
        thread.withLock { $0 = started }
    }

    /// Until they are taken, or nobody has come for them in time.
    func wait() { thread.withLock { $0.take() }?.join() }

    private func serve(_ left: Left, _ legacy: Legacy) {
        let description = legacy.encoded()
        let deadline = Instant.now() + Self.patience
        var heir: NodeID?
        while true {
            let timeLeft = deadline - Instant.now()
            guard timeLeft > .zero else { break }
            socket.wait(within: timeLeft, or: door?.descriptors ?? [])
            if heir == nil, let door, door.isAsked() { return giveBack(left, legacy.ended, through: door) }
            while let (datagram, sender) = socket.receive() {
                guard let note = BequestNote(datagram, key: { $0 == node ? key : nil }), note.term == term else {
                    continue
                }
                switch note.content {
                case .ask(let holder, let itsTerm, let offset, let count):
                    guard itsTerm > term, heir == nil || heir == holder else { continue }
                    heir = holder
                    send(description, from: Int(offset), parts: min(count, BequestNote.window), to: sender)
                case .taken(let holder):
                    guard holder == heir else { continue }
                    taken()
                    return Log.info("guard: node \(holder) goes on with the open connections")
                case .part: continue
                }
            }
        }
        if !legacy.isEmpty { Log.warning("guard: nobody went on with the open connections in time") }
    }

    private func giveBack(_ left: Left, _ ended: [ConnectionRecord.Flow], through door: OpenDoor) {
        let descriptors = left.resume()
        let isTaken = door.pass(descriptors) && door.tell(of: ended)
        descriptors.forEach { close($0) }
        if isTaken {
            Log.info("guard: the next gateway here goes on with the open connections")
        } else {
            Log.warning("guard: the next gateway here did not take the open connections")
        }
    }

    private func send(_ bytes: [UInt8], from start: Int, parts: UInt32, to receiver: SocketAddress) {
        var offset = start
        for _ in 0..<parts where offset < bytes.count {
            let end = min(offset + BequestNote.partBytes, bytes.count)
            let part = BequestNote.Content.part(
                offset: UInt32(offset), total: UInt32(bytes.count), Array(bytes[offset..<end]))
            socket.send(BequestNote(node: node, term: term, part).encoded(key: key), to: receiver)
            offset = end
        }
    }
}

/// Connections that are out of the kernel's hands, and end silently with this.
private final class Left {
    private var sockets: [RepairedSocket] = []

    init(_ descriptors: [Int32]) {
        var bytes = 0
        for descriptor in descriptors {
            let owned = FileDescriptor(owning: descriptor)
            guard bytes < BequestReceipt.byteLimit / 2, let socket = try? RepairedSocket(capturing: owned) else {
                continue
            }
            bytes += socket.image.unread.count + socket.image.unacknowledged.count
            sockets.append(socket)
        }
    }

    var images: [TCPConnectionImage] { sockets.map(\.image) }

    /// The connections go on here, in the hands of the caller.
    func resume() -> [Int32] {
        defer { sockets = [] }
        return sockets.compactMap { (try? $0.resume())?.take() }
    }
}
