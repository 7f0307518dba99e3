import Gateway
import Glibc
import Posix

/// Carries out one `Rebuild`, from the claim of the addresses until each connection goes on or ends.
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

    init(_ records: [ConnectionRecord], workers: WorkerPool) {
        self.workers = workers
        for address in Set(records.map(\.local.ip)) {
            do throws(SystemError) { sockets[address] = try RawTCPSocket(at: address) } catch {
                Log.warning("vip: connections to \(address) can not be rebuilt: \(error)")
            }
        }
        let sockets = sockets
        core = Rebuild(records.filter { sockets[$0.local.ip] != nil }, at: .now())
    }

    /// `unmute` lets the kernel answer by itself again. Those that end go to `endings`.
    mutating func finish(_ endings: inout EndingRun, unmute: () -> Void) {
        while !core.isOver || !hearing.isEmpty {
            for action in core.turn(at: .now()) {
                switch action {
                case .ask(let record): sockets[record.local.ip]?.ask(record)
                case .restore: preconditionFailure("only an answer restores a connection")
                case .unmute(let ending):
                    unmute()
                    endings.add(ending)
                }
            }
            takeSegments(&endings)
            hear(&endings)
            workers.takeIn(ready)
            ready = []
            endings.turn()
            wait(atMostUntil: endings.nextDeadline)
        }
        outcome.ended += core.tally.ended
        outcome.gone += core.tally.gone
    }

    private mutating func takeSegments(_ endings: inout EndingRun) {
        for (address, socket) in sockets {
            while let (bytes, total, peer) = socket.receive(&buffer) {
                guard let segment = TCPSegment(parsing: buffer[bytes], total: total),
                    case .restore(let image, let unheard) = core.take(segment, at: address, from: peer)
                else { continue }
                restore(image, unheard, &endings)
            }
        }
    }

    private mutating func restore(_ image: TCPConnectionImage, _ unheard: Int, _ endings: inout EndingRun) {
        do throws(SystemError) {
            let descriptor = try RepairedSocket.restored(image).resume()
            let connection = ArrivingConnection(
                DetachedSocket(descriptor: descriptor.take(), unread: []), local: image.local, peer: image.peer)
            if unheard == 0 {
                ready.append(connection)
                outcome.restored += 1
            } else {
                hearing.append(
                    Hearing(
                        connection: connection, record: ConnectionRecord(image, place: 0), unheard: unheard,
                        deadline: .now() + Self.hearingLimit))
            }
        } catch {
            // Should the client have made another connection from there, that goes on undisturbed.
            Log.debug("vip: the connection from \(image.peer) can not go on here: \(error)")
            endings.add([ConnectionRecord(image, place: 0)])
            outcome.ended += 1
        }
    }

    /// Looks at what clients have sent again. Those that end do so when their resets are sent, and not only once.
    private mutating func hear(_ endings: inout EndingRun) {
        let now = Instant.now()
        var rest: [Hearing] = []
        for one in hearing {
            let raw = one.connection.socket.descriptor
            var bytes = [UInt8](repeating: 0, count: one.unheard)
            let count = recv(raw, &bytes, bytes.count, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
            if count == one.unheard, UnheardRequest.mayBeTaken(bytes) {
                ready.append(one.connection)
                outcome.restored += 1
            } else if core.isOver, count == one.unheard || now >= one.deadline {
                Socket.resetWhenClosed(raw)
                close(raw)
                endings.add([one.record])
                outcome.ended += 1
            } else {
                rest.append(one)
            }
        }
        hearing = rest
    }

    /// Clients who send something again are looked at by turns; all else arrives or is due.
    private func wait(atMostUntil other: Instant?) {
        var pause = Self.pauseMilliseconds
        if hearing.isEmpty, let deadline = core.nextDeadline {
            pause = Int32((min(deadline, other ?? deadline) - .now()).milliseconds.rounded(.up))
        }
        var polls = sockets.values.map { pollfd(fd: $0.raw, events: Int16(POLLIN), revents: 0) }
        _ = poll(&polls, nfds_t(polls.count), pause)
    }
}
