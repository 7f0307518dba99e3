import Gateway
import Glibc
import Posix

/// Carries out one `Rebuild`, from the claim of the addresses to the end of the last connection.
struct RebuildRun: ~Copyable {
    /// Until a client has sent again what nobody acknowledged. Beyond that another try would come too late to be of use.
    private static let hearingLimit = Nanoseconds.milliseconds(300)
    private static let pauseMilliseconds: Int32 = 2
    /// The longest header of an IPv4 packet and of TCP.
    private static let headerBytes = 120

    /// A rebuilt connection whose client has to send something again.
    private struct Hearing {
        var connection: ArrivingConnection
        var record: ConnectionRecord
        var unheard: Int
        var deadline: Instant
    }

    private(set) var outcome = Rebuild.Tally()
    private let workers: WorkerPool
    private var core: Rebuild
    private var sockets: [IPAddress: RawTCPSocket] = [:]
    private var hearing: [Hearing] = []
    private var ready: [ArrivingConnection] = []
    private var buffer = [UInt8](repeating: 0, count: headerBytes)

    init(_ records: [ConnectionRecord], ending: [ConnectionRecord] = [], workers: WorkerPool) {
        self.workers = workers
        for address in Set((records + ending).map(\.local.ip)) {
            do throws(SystemError) { sockets[address] = try RawTCPSocket(at: address) } catch {
                Log.warning("vip: connections to \(address) can not be rebuilt: \(error)")
            }
        }
        let sockets = sockets
        func canBeAsked(_ record: ConnectionRecord) -> Bool { sockets[record.local.ip] != nil }
        core = Rebuild(records.filter(canBeAsked), ending: ending.filter(canBeAsked), at: .now())
    }

    /// `unmute` lets the kernel answer by itself again.
    mutating func finish(unmute: () -> Void) {
        while !core.isOver || !hearing.isEmpty {
            for action in core.turn(at: .now()) {
                switch action {
                case .ask(let record): ask(record)
                case .restore: preconditionFailure("only an answer restores a connection")
                case .unmute: unmute()
                }
            }
            takeSegments()
            hear()
            workers.takeIn(ready)
            ready = []
            wait()
        }
        outcome.ended += core.tally.ended
        outcome.gone += core.tally.gone
    }

    private func ask(_ record: ConnectionRecord) {
        let segment = TCPSegment(asking: record).encoded(from: record.local.ip, to: record.peer.ip)
        sockets[record.local.ip]?.send(segment, to: record.peer.ip)
    }

    private mutating func takeSegments() {
        for (address, socket) in sockets {
            while let (bytes, total, peer) = socket.receive(&buffer) {
                guard let segment = TCPSegment(parsing: buffer[bytes], total: total),
                    case .restore(let image, let unheard) = core.take(segment, at: address, from: peer)
                else { continue }
                restore(image, unheard)
            }
        }
    }

    private mutating func restore(_ image: TCPConnectionImage, _ unheard: Int) {
        do throws(SystemError) {
            let descriptor = try RepairedSocket(restoring: image).resume()
            let connection = ArrivingConnection(
                DetachedSocket(descriptor: descriptor.take(), unread: []), local: image.local, peer: image.peer)
            if unheard == 0 {
                ready.append(connection)
                outcome.restored += 1
            } else {
                hearing.append(
                    Hearing(
                        connection: connection, record: ConnectionRecord(image), unheard: unheard,
                        deadline: .now() + Self.hearingLimit))
            }
        } catch {
            // The client has made another connection from there, perhaps.
            Log.debug("vip: the connection from \(image.peer) can not go on here: \(error)")
            outcome.gone += 1
        }
    }

    /// Looks at what clients have sent again. Those that end do so when their resets are sent, and not only once.
    private mutating func hear() {
        let now = Instant.now()
        var rest: [Hearing] = []
        for one in hearing {
            let raw = one.connection.socket.descriptor
            var bytes = [UInt8](repeating: 0, count: one.unheard)
            let count = recv(raw, &bytes, bytes.count, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
            if count == one.unheard, UnheardRequest.mayBeTaken(bytes) {
                ready.append(one.connection)
                outcome.restored += 1
            } else if !core.isMuted, count == one.unheard || now >= one.deadline {
                Socket.resetWhenClosed(raw)
                close(raw)
                core.endRestored(one.record, at: now)
            } else {
                rest.append(one)
            }
        }
        hearing = rest
    }

    /// Clients who send something again are looked at by turns; all else arrives or is due.
    private func wait() {
        var pause = Self.pauseMilliseconds
        if hearing.isEmpty, let deadline = core.nextDeadline {
            pause = Int32((deadline - .now()).milliseconds.rounded(.up))
        }
        var polls = sockets.values.map { pollfd(fd: $0.raw, events: Int16(POLLIN), revents: 0) }
        _ = poll(&polls, nfds_t(polls.count), pause)
    }
}

extension ConnectionRecord {
    /// Of a connection that was made as `image` says.
    fileprivate init(_ image: TCPConnectionImage) {
        self.init(
            place: 0, local: image.local, peer: image.peer,
            rest: Rest(
                options: image.options, sendSequence: image.sendSequence, receiveSequence: image.receiveSequence))
    }
}
