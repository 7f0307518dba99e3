import CLinux
import Glibc
import Posix

/// One probe on its way: a connection, and for HTTP a request and the beginning of its response.
struct Probe: ~Copyable {
    /// A status line has to fit in.
    private static let maximumResponse = 512

    private let socket: FileDescriptor
    private let kind: HealthCheck.Probe
    private var unsent: [UInt8]
    private var response: [UInt8] = []
    private var isConnected = false

    /// Begins to connect.
    init(_ target: ProbeTarget) throws(SystemError) {
        kind = target.check.probe
        unsent = target.introduces.map(ProxyHeaderWriter.own) ?? []
        switch kind {
        case .tcp: break
        case .http(let probe): unsent += Probe.request(probe, to: target.backend.address)
        }
        socket = try Socket.startConnecting(to: target.backend.address)
    }

    var descriptor: Int32 { socket.raw }

    private static func request(_ probe: HealthCheck.HTTPProbe, to address: SocketAddress) -> [UInt8] {
        let host = probe.host ?? address.description
        let fields = "Host: \(host)\r\nUser-Agent: gwnode-health\r\nAccept: */*\r\nConnection: close\r\n"
        return Array("GET \(probe.path) HTTP/1.1\r\n\(fields)\r\n".utf8)
    }

    /// Goes as far as it can without waiting; the result when there is one. Call it whenever the socket is ready.
    mutating func advance() -> ProbeResult? {
        if !isConnected {
            let code = Socket.pendingError(socket.raw)
            if code != 0 { return ProbeResult(failure: code) }
            isConnected = true
        }
        switch kind {
        case .tcp: return sendRequest() ?? .connected
        case .http(let probe): return sendRequest() ?? receiveResponse(probe)
        }
    }

    private mutating func sendRequest() -> ProbeResult? {
        while !unsent.isEmpty {
            let count = retryingOnInterrupt { send(socket.raw, unsent, unsent.count, Int32(MSG_NOSIGNAL)) }
            if count < 0 { return errno == EAGAIN ? nil : ProbeResult(failure: errno) }
            unsent.removeFirst(count)
        }
        return nil
    }

    private mutating func receiveResponse(_ probe: HealthCheck.HTTPProbe) -> ProbeResult? {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = retryingOnInterrupt { recv(socket.raw, &buffer, buffer.count, 0) }
            if count < 0 { return errno == EAGAIN ? nil : ProbeResult(failure: errno) }
            if count == 0 { return response.isEmpty ? .closedWithoutResponse : .notHTTP }
            response.append(contentsOf: buffer.prefix(count))
            switch StatusLine(beginningOf: response) {
            case .status(let code): return .status(code, isExpected: probe.statuses.contains(code))
            case .invalid: return .notHTTP
            case .incomplete: if response.count > Probe.maximumResponse { return .notHTTP }
            }
        }
    }
}

/// The beginning of an HTTP/1 response, as far as a health check needs it (RFC 9112 section 4).
package enum StatusLine: Hashable, Sendable {
    case status(Int)
    case incomplete
    case invalid

    package init(beginningOf bytes: [UInt8]) {
        let version = Array("HTTP/1.".utf8)
        let head = bytes.prefix(version.count)
        guard head.elementsEqual(version.prefix(head.count)) else {
            self = .invalid
            return
        }
        guard bytes.count >= 13 else {
            self = .incomplete
            return
        }
        let isDigit = { (index: Int) in UInt8(ascii: "0")...UInt8(ascii: "9") ~= bytes[index] }
        let code = bytes[9...11].reduce(0) { $0 * 10 + Int($1) - 48 }
        let isEnded = bytes[12] == UInt8(ascii: " ") || bytes[12] == UInt8(ascii: "\r")
        let isRight = isDigit(7) && bytes[8] == UInt8(ascii: " ") && (9...11).allSatisfy(isDigit) && isEnded
        self = isRight && 100...599 ~= code ? .status(code) : .invalid
    }
}
