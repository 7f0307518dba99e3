import Glibc
import Posix
import Testing

/// Clients with a connection each, on which they ask now and then.
struct IdleClients {
    /// How a client's kernel speaks TCP, by what it has in `/proc/sys/net/ipv4/`.
    enum Dialect: String, CaseIterable {
        case usual = ""
        case withoutTimestamps = "tcp_timestamps"
        case withoutSelectiveAcknowledgements = "tcp_sack"
        case withoutWindowScaling = "tcp_window_scaling"

        /// While `body` runs, connections begin like that.
        func use<Result>(_ body: () throws -> Result) throws -> Result {
            if self == .usual { return try body() }
            try write("0")
            defer { try? write("1") }
            return try body()
        }

        private func write(_ value: String) throws {
            let raw = open("/proc/sys/net/ipv4/\(rawValue)", O_WRONLY | O_CLOEXEC)
            try #require(raw >= 0, "\(rawValue) can be set")
            let file = FileDescriptor(owning: raw)
            try #require(Glibc.write(file.raw, value, 1) == 1)
        }
    }

    private var connections: [BlockingConnection] = []
    private var asked: UInt32 = 0
    /// The longest that one had to wait for its answer so far.
    private(set) var longest = Nanoseconds.zero

    /// They take turns with the addresses, and with the dialects. Every other one has a smaller window, and a scale of its
    /// own by that.
    init(_ count: Int, to addresses: [SocketAddress], _ dialects: [Dialect] = [.usual]) throws {
        for (number, dialect) in dialects.enumerated() {
            try dialect.use {
                for client in stride(from: number, to: count, by: dialects.count) {
                    let address = addresses[client / dialects.count % addresses.count]
                    let window: Int32? = client / 2 % 2 == 0 ? nil : 16 << 10
                    connections.append(try #require(BlockingConnection(to: address, window: window)))
                }
            }
        }
    }

    /// All ask at once, each for something that it can not mistake for another answer; what went wrong.
    mutating func ask() -> [String] {
        let began = Instant.now()
        let requests = connections.map { connection in
            asked += 1
            let request = NumberedRequest(.small, asked)
            return (connection, request, connection.send(request.bytes))
        }
        let problems = requests.compactMap { connection, request, isSent -> String? in
            guard isSent, let answer = connection.receive() else {
                return "\(request.path) got no answer\(connection.hasTimedOut ? " in time" : "")"
            }
            return NumberedRequest.isSame(answer.body, request.answer) ? nil : "\(request.path) got \(answer.start)"
        }
        longest = max(longest, .now() - began)
        return problems
    }
}
