import Glibc
import Posix
import Synchronization
import Testing

/// A backend in the test's own process, which knows what it was asked: no unsafe request may be carried out twice.
final class NumberedBackend: Sendable {
    private struct State {
        var carriedOut: Set<UInt32> = []
        var problems: [String] = []
        var silent = 0
        var isSilent = false
    }

    private let state = Mutex(State())
    private let listener: Int32

    /// Serves until `stop`.
    init() throws {
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        try Socket.set(listener, SOL_SOCKET, SO_REUSEADDR, 1)
        // The network may be made later.
        try Socket.set(listener, Int32(IPPROTO_IP), IP_FREEBIND, 1)
        try #require(NetworkCluster.numberedBackend.withSockaddr { bind(listener, $0, $1) } == 0)
        try #require(listen(listener, 4096) == 0)
        let thread = try Posix.Thread(name: "backend", stackBytes: 256 << 10) { [self] in
            while true {
                let raw = accept(listener, nil, nil)
                if raw < 0 {
                    close(listener)
                    return
                }
                let server = try? Posix.Thread(name: "server", stackBytes: 256 << 10) { [self] in
                    serve(BlockingConnection(FileDescriptor(owning: raw)))
                }
                server?.detach()
            }
        }
        thread.detach()
    }

    func stop() { shutdown(listener, Int32(SHUT_RDWR)) }

    /// What should not have happened.
    var problems: [String] { state.withLock { $0.problems } }

    /// Requests that get no answer.
    var silent: Int { state.withLock { $0.silent } }
    /// The requests by POST that came, by their numbers.
    var carriedOut: Set<UInt32> { state.withLock { $0.carriedOut } }

    /// It carries out what it is asked, and does not answer.
    var isSilent: Bool {
        get { state.withLock { $0.isSilent } }
        set { state.withLock { $0.isSilent = newValue } }
    }

    private func serve(_ connection: BlockingConnection) {
        while let message = connection.receive() {
            let words = message.start.split(separator: " ")
            guard words.count == 3, let request = NumberedRequest(path: words[1]) else {
                return report("a request that nobody made: \(message.start)")
            }
            if !request.uploaded.isEmpty {
                let isNew = state.withLock { $0.carriedOut.insert(request.number).inserted }
                if !isNew { report("\(request.path) came twice") }
                if !NumberedRequest.isSame(message.body, request.uploaded) {
                    report("\(request.path) has another body")
                }
            }
            if request.kind == .silent {
                state.withLock { $0.silent += 1 }
                continue
            }
            if isSilent { continue }
            let answer = request.answer
            let head = "HTTP/1.1 200 OK\r\nContent-Length: \(answer.count)\r\n\r\n"
            guard connection.send(Array(head.utf8) + answer) else { return }
        }
    }

    private func report(_ problem: String) { state.withLock { $0.problems.append(problem) } }
}
