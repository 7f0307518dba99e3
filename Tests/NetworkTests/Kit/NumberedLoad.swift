import Glibc
import Posix
import Synchronization

/// Clients that ask numbered requests of all kinds, each on one connection.
final class NumberedLoad: Sendable {
    struct Timing: Sendable {
        var from: Instant
        var to: Instant
    }

    private struct State {
        var problems: [String] = []
        /// Of small requests, by client.
        var timings: [[Timing]]
    }

    private static let pauseMilliseconds: Int32 = 100

    /// Whether a connection may end, with the request that was under way: the client then makes another one.
    private let mayEnd: Bool
    private let state: Mutex<State>
    private let answered = Atomic(0)
    private let isStopping = Atomic(false)
    private let threads = Mutex<[Posix.Thread]>([])

    /// The clients take turns with the addresses.
    init(clients count: Int, to addresses: [SocketAddress], mayEnd: Bool = false) throws {
        self.mayEnd = mayEnd
        state = Mutex(State(timings: Array(repeating: [], count: count)))
        for client in 0..<count {
            let address = addresses[client % addresses.count]
            let thread = try Posix.Thread(name: "client", stackBytes: 512 << 10) { [self] in run(client, address) }
            threads.withLock { $0.append(thread) }
        }
    }

    var problems: [String] { state.withLock { $0.problems } }
    var timings: [[Timing]] { state.withLock { $0.timings } }

    /// Whether as many requests as there are clients were answered since this was last asked, or some failed.
    func isAnsweredAgain() -> Bool {
        guard answered.load(ordering: .relaxed) >= state.withLock({ $0.timings.count }) || !problems.isEmpty else {
            return false
        }
        answered.store(0, ordering: .relaxed)
        return true
    }

    func stop() {
        isStopping.store(true, ordering: .relaxed)
        for thread in threads.withLock({ $0 }) { thread.join() }
    }

    private func run(_ client: Int, _ address: SocketAddress) {
        guard var connection = BlockingConnection(to: address) else { return report("no connection to \(address)") }
        var timings: [Timing] = []
        var count: UInt32 = 0
        while !isStopping.load(ordering: .relaxed) {
            count += 1
            let request = NumberedRequest(Self.kind(client, count), UInt32(client) << 20 | count)
            let began = Instant.now()
            guard connection.send(request.bytes), let answer = connection.receive() else {
                if mayEnd, !connection.hasTimedOut,
                    let next = eventually({ BlockingConnection(to: address) })
                {
                    connection = next
                    continue
                }
                report("\(request.path) on \(address) got no answer after \(Instant.now() - began)")
                break
            }
            if !answer.start.hasPrefix("HTTP/1.1 200 ") || !NumberedRequest.isSame(answer.body, request.answer) {
                report("\(request.path) got another answer: \(answer.start)")
                break
            }
            answered.add(1, ordering: .relaxed)
            if request.kind == .small { timings.append(Timing(from: began, to: .now())) }
            _ = poll(nil, 0, Self.pauseMilliseconds)
        }
        state.withLock { $0.timings[client] = timings }
    }

    /// One request of eight is long.
    private static func kind(_ client: Int, _ count: UInt32) -> NumberedRequest.Kind {
        switch (client + Int(count)) % 16 {
        case 0: .big
        case 8: .upload
        case _: .small
        }
    }

    private func report(_ problem: String) { state.withLock { $0.problems.append(problem) } }
}
