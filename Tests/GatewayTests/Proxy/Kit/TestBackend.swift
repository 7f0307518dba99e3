import CLinux
import Glibc
import Posix
import Synchronization

/// A backend on a port of its own, with a thread for each connection. It serves until `stop`, or to the end of the
/// process: a test that only needs its address may let go of it, and an optimised build does so at the last use.
final class TestBackend: Sendable {
    let address: SocketAddress
    private let listener: Int32
    private let state: Mutex<State>

    private struct State {
        var connections = 0
        var requests: [Wire.Message] = []
        var mayGo = false
    }

    /// Serves each connection with `serve`, and closes it when that returns or throws.
    init(_ serve: @escaping @Sendable (Wire, TestBackend) throws -> Void) throws {
        let socket = try Socket.listen(on: SocketAddress("127.0.0.1:0")!)
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
    convenience init(answering answer: @escaping @Sendable (Wire.Message) -> String) throws {
        try self.init { wire, backend in
            while true {
                let request = try wire.message()
                backend.record(request)
                try wire.send(answer(request))
            }
        }
    }

    /// Answers 200 with `name` as body.
    convenience init(named name: String) throws {
        try self.init(answering: { _ in
            "HTTP/1.1 200 OK\r\nContent-Length: \(name.utf8.count)\r\nX-Backend: \(name)\r\n\r\n\(name)"
        })
    }

    private func run(_ connection: Int32, _ serve: @escaping @Sendable (Wire, TestBackend) throws -> Void) {
        state.withLock { $0.connections += 1 }
        _ = try? Thread(name: "backend") { [self] in
            pthread_detach(pthread_self())
            try? serve(Wire(connection), self)
        }
    }

    func record(_ request: Wire.Message) { state.withLock { $0.requests.append(request) } }

    var requests: [Wire.Message] { state.withLock { $0.requests } }
    var connectionCount: Int { state.withLock { $0.connections } }

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
