import CLinux
import Glibc
import Posix
import Synchronization

/// The guard's side of the custody: holds descriptors of the gateway's connections, so that they outlive its process. A
/// thread of its own takes them, and lets go of those that the gateway has closed.
package final class CustodyKeeper: Sendable {
    /// A connection that the gateway closes stays in the kernel for so long; its end is sent at once.
    private static let sweepMilliseconds: Int32 = 100

    private struct Held {
        var descriptor: Int32
        var generation: UInt64
    }

    private let table: CustodyTable
    private let channel: GuardChannel
    private let held = Mutex<[UInt32: Held]>([:])
    private let isStopping = Atomic(false)
    private let thread = Mutex<Thread?>(nil)

    package init(channel: GuardChannel, table: CustodyTable) throws(SystemError) {
        self.channel = channel
        self.table = table
        let started = try Thread(name: "custody", stackBytes: 256 << 10) { [self] in run() }
        thread.withLock { $0 = started }
    }

    deinit { held.withLock { $0.values.forEach { close($0.descriptor) } } }

    private func run() {
        while !isStopping.load(ordering: .acquiring) {
            var waiting = pollfd(fd: channel.raw, events: Int16(POLLIN), revents: 0)
            _ = poll(&waiting, 1, held.withLock { $0.isEmpty } ? -1 : Self.sweepMilliseconds)
            let goesOn = held.withLock { held in
                let goesOn = take(&held)
                if goesOn { sweep(&held) }
                return goesOn
            }
            if !goesOn { return }
        }
    }

    /// Takes what has been passed; false when the gateway is gone.
    private func take(_ held: inout [UInt32: Held]) -> Bool {
        while true {
            switch channel.receive() {
            case .nothing: return true
            case .end: return false
            case .datagram(let bytes, let descriptors):
                guard let entries = Custody.entries(bytes), entries.count == descriptors.count else {
                    Log.error("guard: connections that were passed can not be told apart")
                    descriptors.forEach { close($0) }
                    continue
                }
                for (entry, descriptor) in zip(entries, descriptors) {
                    let connection = Held(descriptor: descriptor, generation: entry.generation)
                    guard entry.place < table.capacity else {
                        close(descriptor)
                        continue
                    }
                    if let former = held.updateValue(connection, forKey: entry.place) { close(former.descriptor) }
                }
            }
        }
    }

    private func sweep(_ held: inout [UInt32: Held]) {
        for (place, connection) in held where table.generation(Int(place)) != connection.generation {
            close(connection.descriptor)
            held[place] = nil
        }
    }

    /// Lets go at once of the connections that the gateway has taken back.
    package func letGo() { held.withLock { sweep(&$0) } }

    /// Connections that are held, busy ones included.
    package var count: Int {
        held.withLock { held in
            _ = take(&held)
            return held.count
        }
    }

    /// To be called when the gateway's process has ended, and nothing arrives for `addresses` here any more. Resets the
    /// connections on which it had begun something, for nobody can go on with that.
    /// - Returns: connections to the addresses at rest; they are the caller's now.
    package func sortOut(_ addresses: Set<IPAddress>) -> [Int32] {
        defer { stop() }
        return held.withLock { held in
            _ = take(&held)
            sweep(&held)
            var atRest: [Int32] = []
            for (place, connection) in held {
                let own = Socket.localAddress(of: connection.descriptor)?.ip
                if let own, addresses.contains(own), isAtRest(connection.descriptor, place) {
                    atRest.append(connection.descriptor)
                } else {
                    // The reset comes from an address that is not here any more.
                    try? Socket.setTransparent(connection.descriptor, isIPv4: own?.isIPv4 != false)
                    Socket.abort(connection.descriptor)
                    close(connection.descriptor)
                }
            }
            held = [:]
            return atRest
        }
    }

    /// Whether no more was taken from it than the gateway had answered. Bytes that arrive while they are counted can hide
    /// that it is.
    private func isAtRest(_ descriptor: Int32, _ place: UInt32) -> Bool {
        (0..<3).contains { _ in clinux_consumed_bytes(descriptor) == table.consumed(Int(place)) }
    }

    /// Ends the thread; the connections that are held stay open as long as somebody else has them.
    package func stop() {
        isStopping.store(true, ordering: .releasing)
        shutdown(channel.raw, Int32(SHUT_RDWR))
        thread.withLock { $0.take() }?.join()
    }
}
