import CLinux
import Glibc
import Posix
import Synchronization
import TLS

/// A backend on a port of its own, with a thread for each connection. It serves until `stop`, or to the end of the
/// process: a test that only needs its address may let go of it, and an optimised build does so at the last use.
final class TestBackend: Sendable {
    let address: SocketAddress
    private let listener: Int32
    private let state: Mutex<State>

    private let server: TLSServer?

    private struct State {
        var connections = 0
        /// Of those that are secured: how many resumed a session, and what the others showed.
        var resumed = 0
        var subjects: [String] = []
        var requests: [Wire.Message] = []
        var mayGo = false
    }

    /// Serves each connection with `serve`, and closes it when that returns or throws. With `server` over TLS.
    init(secured server: TLSServer? = nil, _ serve: @escaping @Sendable (Wire, TestBackend) throws -> Void) throws {
        let socket = try Socket.listen(on: SocketAddress("127.0.0.1:0")!)
        self.server = server
        address = Socket.localAddress(of: socket.raw)!
        listener = socket.take()
        _ = fcntl(listener, F_SETFL, 0)
        state = Mutex(State())
        _ = try Thread(name: "backend") { [self] in
            pthread_detach(pthread_self())
            while true {
                let connection = accept(listener, nil, nil)
                guard connection >= 0 else { return }
                run(connection, serve)
            }
        }
    }

    /// Answers each request of a connection with what `answer` returns.
    convenience init(secured server: TLSServer? = nil, answering answer: @escaping @Sendable (Wire.Message) -> String)
        throws
    {
        try self.init(secured: server) { wire, backend in
            while true {
                let request = try wire.message()
                backend.record(request)
                try wire.send(answer(request))
            }
        }
    }

    /// Answers 200 with `name` as body.
    convenience init(named name: String, secured server: TLSServer? = nil) throws {
        try self.init(
            secured: server,
            answering: { _ in
                "HTTP/1.1 200 OK\r\nContent-Length: \(name.utf8.count)\r\nX-Backend: \(name)\r\n\r\n\(name)"
            })
    }

    private func run(_ connection: Int32, _ serve: @escaping @Sendable (Wire, TestBackend) throws -> Void) {
        state.withLock { $0.connections += 1 }
        _ = try? Thread(name: "backend") { [self] in
            pthread_detach(pthread_self())
            let wire = Wire(connection)
            guard let server else { return (try? serve(wire, self)) ?? () }
            guard let end = try? SecureEnd(serving: server), (try? wire.secure(end)) != nil else { return }
            state.withLock { state in
                if end.isResumed { state.resumed += 1 }
                state.subjects.append(end.peerSubject)
            }
            try? serve(wire, self)
        }
    }

    func record(_ request: Wire.Message) { state.withLock { $0.requests.append(request) } }

    var requests: [Wire.Message] { state.withLock { $0.requests } }
    var connectionCount: Int { state.withLock { $0.connections } }
    var resumedCount: Int { state.withLock { $0.resumed } }
    var subjects: [String] { state.withLock { $0.subjects } }

    /// Lets a connection go on that waits in `waitForGo`.
    func go() { state.withLock { $0.mayGo = true } }

    /// Waits, at most twenty seconds, for the test to call `go`.
    func waitForGo() -> Bool {
        let deadline = Instant.now() + .seconds(20)
        while Instant.now() < deadline {
            if state.withLock({ $0.mayGo }) { return true }
            sched_yield()
        }
        return false
    }

    /// Refuses connections from now on.
    func stop() { shutdown(listener, Int32(SHUT_RDWR)) }

    deinit { close(listener) }
}
