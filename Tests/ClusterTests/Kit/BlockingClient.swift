import CLinux
import Glibc
import Posix

/// A blocking HTTP/1.1 client with a deadline for each read, as a plain user of the gateway would have.
struct BlockingClient: ~Copyable {
    struct Response {
        var status: Int
        var fields: [String: String]
        var body: String
    }

    enum Failure: Error {
        case connect(Int32)
        case send(Int32)
        /// Closed or timed out before the response was whole.
        case receive(Int32)
        case malformed(String)
    }

    private let socket: FileDescriptor
    private let address: SocketAddress
    private var buffer: [UInt8] = []

    init(_ address: SocketAddress, timeoutMilliseconds: Int = 10_000) throws(Failure) {
        let raw = Glibc.socket(address.family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard raw >= 0 else { throw .connect(errno) }
        let socket = FileDescriptor(owning: raw)
        // The timeout for sending is also the one for connecting.
        var limit = timeval(
            tv_sec: timeoutMilliseconds / 1000, tv_usec: timeoutMilliseconds % 1000 * 1000)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(raw, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
        setsockopt(raw, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
        Socket.setNoDelay(raw)
        guard address.withSockaddr({ connect(raw, $0, $1) }) == 0 else { throw .connect(errno) }
        self.socket = socket
        self.address = address
    }

    mutating func request(
        _ method: String = "GET", _ path: String, fields: [String: String] = [:], body: String = ""
    ) throws(Failure) -> Response {
        var head = "\(method) \(path) HTTP/1.1\r\nHost: \(address)\r\n"
        for (name, value) in fields { head += "\(name): \(value)\r\n" }
        if !body.isEmpty { head += "Content-Length: \(body.utf8.count)\r\n" }
        try send(Array((head + "\r\n" + body).utf8))
        return try receive()
    }

    private func send(_ bytes: [UInt8]) throws(Failure) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(socket.raw, $0.baseAddress! + sent, $0.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw .send(errno) }
            sent += count
        }
    }

    private mutating func receive() throws(Failure) -> Response {
        let end: [UInt8] = Array("\r\n\r\n".utf8)
        var headEnd = 0
        while true {
            if let found = buffer.firstRange(of: end) {
                headEnd = found.lowerBound
                break
            }
            try readMore()
        }
        let lines = String(decoding: buffer[..<headEnd], as: UTF8.self).split(separator: "\r\n")
        let statusLine = lines[0].split(separator: " ")
        guard statusLine.count >= 2, let status = Int(statusLine[1]) else { throw .malformed(String(lines[0])) }
        var fields: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { throw .malformed(String(line)) }
            let value = line[line.index(after: colon)...].drop { $0 == " " }
            fields[line[..<colon].lowercased()] = String(value)
        }
        guard let length = Int(fields["content-length"] ?? "") else { throw .malformed("no Content-Length") }
        let bodyStart = headEnd + 4
        while buffer.count < bodyStart + length { try readMore() }
        let body = String(decoding: buffer[bodyStart..<bodyStart + length], as: UTF8.self)
        buffer.removeFirst(bodyStart + length)
        return Response(status: status, fields: fields, body: body)
    }

    private mutating func readMore() throws(Failure) {
        var chunk = [UInt8](repeating: 0, count: 65536)
        let count = retryingOnInterrupt { recv(socket.raw, &chunk, chunk.count, 0) }
        guard count > 0 else { throw .receive(count == 0 ? 0 : errno) }
        buffer += chunk[..<count]
    }

    /// One request on a connection of its own.
    static func get(
        _ address: SocketAddress, _ path: String = "/", timeoutMilliseconds: Int = 10_000
    ) throws(Failure) -> Response {
        var client = try BlockingClient(address, timeoutMilliseconds: timeoutMilliseconds)
        return try client.request("GET", path)
    }
}

/// Asks `condition` again and again until it gives an answer; nil after the deadline.
func eventually<Answer>(
    within limit: Nanoseconds = .seconds(20), every pauseMilliseconds: Int32 = 5, _ condition: () -> Answer?
) -> Answer? {
    let deadline = Instant.now() + limit
    while true {
        if let answer = condition() { return answer }
        if Instant.now() > deadline { return nil }
        _ = poll(nil, 0, pauseMilliseconds)
    }
}
