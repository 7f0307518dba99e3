import Glibc
import Namespaces
import Posix
import Synchronization
import Testing

/// Moves the address on purpose while clients ask without a pause: not one request may fail.
@Suite(.serialized, .enabled(if: Namespace.isInside(.root), "runs inside NetworkTests"))
struct PlannedMoveTests {
    /// A lease that a busy machine does not lose: a move that nobody planned may cost requests.
    static let timing = "wan"

    private enum Move: CaseIterable {
        case transfer, drain, terminate
    }

    @Test func noRequestFails() throws {
        let cluster = try NetworkCluster(timing: Self.timing)
        // Whoever waits that long has failed; a slow machine alone does not get there.
        let load = try Load(threads: 4) { { get(NetworkCluster.service, within: .seconds(20)) } }
        for move in Move.allCases {
            let former = try cluster.holder()
            #expect(eventually { load.isAnsweredAgain() ? true : nil } == true)
            switch move {
            case .transfer: try cluster.transfer(from: former)
            case .drain: try cluster.order(["node", "drain", "gw\(former)"], at: former)
            case .terminate: cluster.signal(SIGTERM, former)
            }
            _ = try cluster.holder(otherThan: former)
            #expect(eventually { load.isAnsweredAgain() ? true : nil } == true)
            switch move {
            case .transfer: break
            case .drain: try cluster.order(["node", "undrain", "gw\(former)"], at: former)
            case .terminate: cluster.waitForEnd(former)
            }
        }
        load.stop()
        #expect(load.failures == 0, "\(cluster.logs())")
    }

    /// Idle ones, and one whose next request had begun before the move and ends after it.
    @Test func openConnectionsGoOnAtTheNextHolder() throws {
        let cluster = try NetworkCluster(timing: Self.timing)
        var former = try cluster.holder()
        let idle = try (0..<200).map { _ in try HeldConnection(to: NetworkCluster.service) }
        let begun = try HeldConnection(to: NetworkCluster.service)
        for _ in 0..<2 {
            for connection in idle { #expect(try connection.get()?.hasPrefix("HTTP/1.1 200 ") == true) }
            try begun.send("GET / HTTP/1.1\r\nHo")
            try cluster.transfer(from: former)
            former = try cluster.holder(otherThan: former)
            try begun.send("st: test\r\n\r\n")
            #expect(try begun.answer()?.hasPrefix("HTTP/1.1 200 ") == true, "\(cluster.logs())")
            let answered = try idle.filter { try $0.get()?.hasPrefix("HTTP/1.1 200 ") == true }
            #expect(answered.count == idle.count, "\(cluster.logs())")
        }
    }

    /// Clients that ask again and again on connections that never end.
    @Test func busyConnectionsGoOnThroughManyMoves() throws {
        let cluster = try NetworkCluster(timing: Self.timing)
        let load = try Load(threads: 8) {
            let connection = try? HeldConnection(to: NetworkCluster.service)
            return { (try? connection?.get())?.hasPrefix("HTTP/1.1 200 ") == true }
        }
        var former = try cluster.holder()
        for _ in 0..<5 {
            #expect(eventually { load.isAnsweredAgain() ? true : nil } == true)
            try cluster.transfer(from: former)
            former = try cluster.holder(otherThan: former)
        }
        #expect(eventually { load.isAnsweredAgain() ? true : nil } == true)
        load.stop()
        #expect(load.failures == 0, "\(cluster.logs())")
    }

    /// The last answer before the move says that the connection ends.
    @Test func openConnectionsEndInOrder() throws {
        let cluster = try NetworkCluster(timing: Self.timing, moveTimeout: "20s", movesConnections: false)
        let former = try cluster.holder()
        let asking = try HeldConnection(to: NetworkCluster.service)
        #expect(try asking.get()?.contains("Connection: close") == false)
        let order = try cluster.beginOrder(["leader", "transfer"], at: former)
        let end = eventually { () -> String? in
            guard let answer = try? asking.get() else { return "closed without a word" }
            return answer.contains("Connection: close") ? answer : nil
        }
        #expect(end?.hasPrefix("HTTP/1.1 200 ") == true, "\(end ?? "never told")")
        #expect(order.wait() == .exited(status: 0))
    }
}

/// Clients that ask without end, and count what fails.
private final class Load: Sendable {
    private let isStopping = Atomic(false)
    private let answered = Atomic(0)
    private let failed = Atomic(0)
    private let threads = Mutex<[Posix.Thread]>([])

    /// - Parameter makeClient: Makes one for each thread, which says of each request whether it was answered.
    init(threads count: Int, makeClient: @escaping @Sendable () -> () -> Bool) throws {
        for _ in 0..<count {
            let thread = try Posix.Thread(name: "load") { [self] in
                let isAnswered = makeClient()
                while !isStopping.load(ordering: .relaxed) {
                    if isAnswered() {
                        answered.add(1, ordering: .relaxed)
                    } else {
                        failed.add(1, ordering: .relaxed)
                    }
                    _ = poll(nil, 0, 2)
                }
            }
            threads.withLock { $0.append(thread) }
        }
    }

    var failures: Int { failed.load(ordering: .relaxed) }

    /// Whether some were answered since this was last asked.
    func isAnsweredAgain() -> Bool { answered.exchange(0, ordering: .relaxed) > 10 }

    func stop() {
        isStopping.store(true, ordering: .relaxed)
        for thread in threads.withLock({ $0 }) { thread.join() }
    }
}

/// A connection that stays open.
private final class HeldConnection {
    private let socket: FileDescriptor

    init(to address: SocketAddress) throws {
        socket = try Socket.startConnecting(to: address)
        try #require(wait(POLLOUT))
    }

    /// The answer's head with what came with it; empty at the connection's end, nil when it broke.
    func get() throws -> String? {
        try send("GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        return try answer()
    }

    func send(_ text: String) throws {
        let bytes = Array(text.utf8)
        _ = Glibc.send(socket.raw, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    /// The same of what was sent before.
    func answer() throws -> String? {
        try #require(wait(POLLIN), "an answer or the end")
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = recv(socket.raw, &buffer, buffer.count, 0)
        return count < 0 ? nil : String(decoding: buffer[..<count], as: UTF8.self)
    }

    private func wait(_ events: Int32) -> Bool {
        var waiting = pollfd(fd: socket.raw, events: Int16(events), revents: 0)
        return poll(&waiting, 1, 60_000) == 1
    }
}
