import CLinux
import Glibc
import Posix
import Synchronization

/// A backend with an illness, on a port and threads of its own. It counts the requests that come to it.
final class SickBackend: Sendable {
    enum Illness: CaseIterable {
        /// Answers, but two seconds late.
        case slow
        /// Reads a request and resets the connection.
        case resetting
        /// Answers with something that is not HTTP.
        case garbage
        /// Lets connections wait until its queue is full, and accepts none.
        case notAccepting
        /// Answers 503 at once.
        case refusing
    }

    let address: SocketAddress
    private let illness: Illness
    private let listener: Int32
    private let count = Atomic<Int>(0)
    /// Connections that fill the queue of a backend that accepts none.
    private let fillers: [Int32]

    /// Serves until `stop`, or to the end of the process.
    init(_ illness: Illness) throws {
        self.illness = illness
        let accepts = illness != .notAccepting
        let socket = try Socket.listen(on: SocketAddress("127.0.0.1:0")!, backlog: accepts ? 4096 : 0)
        let address = Socket.localAddress(of: socket.raw)!
        self.address = address
        listener = socket.take()
        fillers = try accepts ? [] : (0..<4).map { _ in try Socket.startConnecting(to: address).take() }
        guard accepts else { return }
        _ = fcntl(listener, F_SETFL, 0)
        _ = try Thread(name: "sick") { [self] in
            pthread_detach(pthread_self())
            while true {
                let connection = accept(listener, nil, nil)
                guard connection >= 0 else { return }
                _ = try? Thread(name: "sick") { [self] in
                    pthread_detach(pthread_self())
                    serve(connection)
                    close(connection)
                }
            }
        }
    }

    var requests: Int { count.load(ordering: .relaxed) }

    /// Refuses connections from now on.
    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        for filler in fillers { close(filler) }
    }

    private func serve(_ connection: Int32) {
        var bytes = [UInt8](repeating: 0, count: 16_384)
        // The requests of these tests come whole and one at a time.
        while recv(connection, &bytes, bytes.count, 0) > 0 {
            count.add(1, ordering: .relaxed)
            switch illness {
            case .slow:
                _ = poll(nil, 0, 2_000)
                if !send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate", connection) { return }
            case .resetting:
                var option = linger(l_onoff: 1, l_linger: 0)
                setsockopt(connection, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
                return
            case .garbage:
                _ = send("\u{16}\u{3}\u{1} this is not HTTP\r\n\r\n", connection)
                return
            case .refusing:
                if !send("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nsick", connection) { return }
            case .notAccepting: return
            }
        }
    }

    private func send(_ text: String, _ connection: Int32) -> Bool {
        var text = text
        return text.withUTF8 { Glibc.send(connection, $0.baseAddress!, $0.count, Int32(MSG_NOSIGNAL)) == $0.count }
    }
}
