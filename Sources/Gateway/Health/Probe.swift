import CLinux
import Glibc
import Posix
import TLS

/// One probe on its way: a connection, with TLS where the backend has it, and for HTTP a request and the beginning of its
/// response.
struct Probe: ~Copyable {
    /// A status line has to fit in.
    private static let maximumResponse = 512

    private enum Stage {
        case connecting, shakingHands, asking
    }

    private let socket: FileDescriptor
    private let kind: HealthCheck.Probe
    /// Nil: the connection is plain.
    private let link: TLSLink?
    private let wire: TLSWire
    private var stage = Stage.connecting
    private var request: [UInt8]
    /// For the wire.
    private var unsent: [UInt8] = []
    private var response: [UInt8] = []

    /// Begins to connect. `wire` is that of the thread.
    init(_ target: ProbeTarget, wire: TLSWire) throws(SystemError) {
        let address = target.backend.address
        self.wire = wire
        kind = target.check.probe
        unsent = target.introduces.map(ProxyHeaderWriter.own) ?? []
        switch kind {
        case .tcp: request = []
        case .http(let probe): request = Probe.request(probe, to: address)
        }
        let socket = try Socket.startConnecting(to: address)
        switch target.security {
        case .plain, .unusable: link = nil
        case .tls(let client):
            guard let made = TLSLink(dialling: address.ip.description, as: client, on: wire) else {
                throw SystemError("set up", "TLS", code: ENOMEM)
            }
            link = made
        }
        self.socket = socket
    }

    deinit { link?.free() }

    var descriptor: Int32 { socket.raw }

    private static func request(_ probe: HealthCheck.HTTPProbe, to address: SocketAddress) -> [UInt8] {
        let host = probe.host ?? address.description
        let fields = "Host: \(host)\r\nUser-Agent: gwnode-health\r\nAccept: */*\r\nConnection: close\r\n"
        return Array("GET \(probe.path) HTTP/1.1\r\n\(fields)\r\n".utf8)
    }

    /// Goes as far as it can without waiting; the result when there is one. Call it whenever the socket is ready.
    mutating func advance() -> ProbeResult? {
        if stage == .connecting {
            let code = Socket.pendingError(socket.raw)
            if code != 0 { return ProbeResult(failure: code) }
            stage = .shakingHands
        }
        if stage == .shakingHands {
            if let result = shakeHands() { return result }
            if stage == .shakingHands { return nil }
        }
        switch kind {
        case .tcp: return flush() ?? .connected
        case .http(let probe): return flush() ?? receiveResponse(probe)
        }
    }

    /// Ends with `asking` when hands are shaken, at once where there is no TLS.
    private mutating func shakeHands() -> ProbeResult? {
        guard let link else {
            unsent += request
            stage = .asking
            return nil
        }
        var received: [UInt8] = []
        while true {
            wire.clear()
            let progress = received.withUnsafeBytes { bytes in
                wire.offer(bytes)
                let progress = link.shakeHands()
                if case .done = progress { _ = decrypt(link) }
                return progress
            }
            let fault: ServerFault? = if case .failed = progress { link.serverFault } else { nil }
            unsent += wire.output
            let failure = flush()
            if let fault { return .notSecured(fault) }
            if let failure { return Probe.ended(by: failure) }
            if case .done = progress {
                wire.clear()
                guard request.isEmpty || request.withUnsafeBytes(link.write) else { return .notSecured(.closed) }
                unsent += wire.output
                stage = .asking
                return nil
            }
            switch receive() {
            case .bytes(let bytes): received = bytes
            case .nothing: return nil
            case .end: return .notSecured(.closed)
            case .failed(let code): return Probe.ended(by: ProbeResult(failure: code))
            }
        }
    }

    /// A backend that closes what it did not read ends a handshake by a reset.
    private static func ended(by failure: ProbeResult) -> ProbeResult {
        switch failure {
        case .failed(ECONNRESET), .failed(EPIPE): .notSecured(.closed)
        case .connected, .status, .failed, .notSecured, .unusableFiles, .timedOut, .closedWithoutResponse, .notHTTP,
            .inconclusive:
            failure
        }
    }

    private mutating func flush() -> ProbeResult? {
        while !unsent.isEmpty {
            let count = retryingOnInterrupt { send(socket.raw, unsent, unsent.count, Int32(MSG_NOSIGNAL)) }
            if count < 0 { return errno == EAGAIN ? nil : ProbeResult(failure: errno) }
            unsent.removeFirst(count)
        }
        return nil
    }

    private enum Received {
        case bytes([UInt8])
        case nothing
        case end
        case failed(Int32)
    }

    private func receive() -> Received {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = retryingOnInterrupt { recv(socket.raw, &buffer, buffer.count, 0) }
        if count < 0 { return errno == EAGAIN ? .nothing : .failed(errno) }
        return count == 0 ? .end : .bytes(Array(buffer.prefix(count)))
    }

    private mutating func receiveResponse(_ probe: HealthCheck.HTTPProbe) -> ProbeResult? {
        while true {
            if let result = judge(probe) { return result }
            switch receive() {
            case .bytes(let bytes): if let fault = take(bytes) { return .notSecured(fault) }
            case .nothing: return nil
            case .end: return response.isEmpty ? .closedWithoutResponse : .notHTTP
            case .failed(let code): return ProbeResult(failure: code)
            }
        }
    }

    /// Nil while the status is not there.
    private func judge(_ probe: HealthCheck.HTTPProbe) -> ProbeResult? {
        switch StatusLine(beginningOf: response) {
        case .status(let code): .status(code, isExpected: probe.statuses.contains(code))
        case .invalid: .notHTTP
        case .incomplete: response.count > Probe.maximumResponse ? .notHTTP : nil
        }
    }

    private mutating func take(_ bytes: [UInt8]) -> ServerFault? {
        guard let link else {
            response += bytes
            return nil
        }
        return bytes.withUnsafeBytes { bytes in
            wire.clear()
            wire.offer(bytes)
            return decrypt(link)
        }
    }

    /// Adds what was offered to the wire to the response.
    private mutating func decrypt(_ link: TLSLink) -> ServerFault? {
        var part = [UInt8](repeating: 0, count: 4096)
        while true {
            switch part.withUnsafeMutableBytes({ link.read(into: $0) }) {
            case .bytes(let count): response += part[..<count]
            case .nothing, .end: return nil
            case .failed: return response.isEmpty ? link.serverFault : nil
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
