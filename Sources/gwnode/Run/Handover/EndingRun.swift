import Gateway
import Posix

/// Carries out `ConnectionEndings`.
struct EndingRun: ~Copyable {
    private(set) var core = ConnectionEndings()
    /// One for each address that there are connections to.
    private var sockets: [IPAddress: RawTCPSocket] = [:]

    var nextDeadline: Instant? { core.nextDeadline }

    /// The kernel may answer for itself from now on.
    mutating func add(_ records: [ConnectionRecord]) {
        for address in Set(records.map(\.local.ip)) where sockets[address] == nil {
            do throws(SystemError) { sockets[address] = try RawTCPSocket(at: address, hears: false) } catch {
                Log.warning("vip: clients of \(address) are not told that their connections ended: \(error)")
            }
        }
        core.add(records.filter { sockets[$0.local.ip] != nil }, at: .now())
        turn()
    }

    /// The addresses that this node has.
    mutating func keep(to addresses: Set<IPAddress>) { core.keep(to: addresses) }

    mutating func turn() {
        let due = core.turn(at: .now())
        if !due.isEmpty { Self.clear(due) }
        for record in due { sockets[record.local.ip]?.ask(record) }
        if core.nextDeadline == nil { sockets = [:] }
    }

    /// The kernel resets only those of which it has nothing left.
    private static func clear(_ records: [ConnectionRecord]) {
        do throws(SystemError) {
            let census = try ConnectionCensus()
            for record in records { try census.clear(record.flow, .hasEnded) }
        } catch { Log.warning("vip: clients of connections that ended may not hear of it: \(error)") }
    }
}

extension RawTCPSocket {
    /// Asks the client where it is.
    func ask(_ record: ConnectionRecord) {
        send(TCPSegment(asking: record).encoded(from: record.local.ip, to: record.peer.ip), to: record.peer.ip)
    }
}
