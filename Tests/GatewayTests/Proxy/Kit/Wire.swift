import CLinux
import Glibc
import Posix
import Testing

/// A blocking socket of a test, which gives up after ten seconds, and reads HTTP messages naively.
final class Wire: @unchecked Sendable {
    struct Message: Equatable {
        var startLine: String
        var fields: [String]
        var body: [UInt8]
        /// The body's bytes as they came, with chunk framing.
        var rawBody: [UInt8]

        var text: String { String(decoding: body, as: UTF8.self) }
        var status: Int { Int(startLine.split(separator: " ").dropFirst().first ?? "") ?? 0 }

        /// The value of a field, by its name in any case.
        subscript(name: String) -> String? { all(name).first }

        func all(_ name: String) -> [String] {
            fields.compactMap { line in
                guard let colon = line.firstIndex(of: ":"), line[..<colon].lowercased() == name.lowercased() else {
                    return nil
                }
                return String(line[line.index(after: colon)...].drop { $0 == " " })
            }
        }
    }

    enum Failure: Error, Equatable {
        /// The peer closed in the middle of a message, with what came of it.
        case closed(String)
        case reset
        case timedOut(String)
    }

    private let descriptor: Int32
    private var buffer: [UInt8] = []
    /// Nil: what passes is plain.
    private var secured: SecureEnd?

    init(_ descriptor: Int32) {
        self.descriptor = descriptor
        let flags = fcntl(descriptor, F_GETFL)
        _ = fcntl(descriptor, F_SETFL, flags & ~O_NONBLOCK)
        setTimeout(seconds: 10)
        Socket.setNoDelay(descriptor)
    }

    convenience init(to address: SocketAddress, receiveBuffer: Int32? = nil) throws {
        let descriptor = socket(address.family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        if let receiveBuffer { try Socket.set(descriptor, SOL_SOCKET, SO_RCVBUF, receiveBuffer) }
        self.init(descriptor)
        guard address.withSockaddr({ connect(descriptor, $0, $1) }) == 0 else { throw SystemError("connect") }
    }

    deinit { close(descriptor) }

    func setTimeout(seconds: Int) {
        var limit = timeval(tv_sec: seconds, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    func send(_ text: String) throws { try send(Array(text.utf8)) }

    /// Shakes hands.
    func secure(_ end: SecureEnd) throws {
        secured = end
        try end.shakeHands(
            send: { try sendRaw($0) },
            receive: {
                // What came in the clear may have brought the first of it.
                defer { buffer = [] }
                return buffer.isEmpty ? try receiveRaw() : buffer
            })
    }

    func send(_ bytes: [UInt8]) throws { try sendRaw(secured?.encrypt(bytes) ?? bytes) }

    /// Past TLS.
    func sendRaw(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw errno == EAGAIN ? Failure.timedOut("send") : Failure.reset }
            sent += count
        }
    }

    /// Whether bytes, or the end, come within that time.
    func hasInput(withinMilliseconds limit: Int32) -> Bool {
        var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&waiting, 1, limit) > 0
    }

    /// Sends as much as the kernel takes at once and returns how much that was.
    func sendSome(_ bytes: [UInt8]) -> Int {
        bytes.withUnsafeBytes {
            max(0, Glibc.send(descriptor, $0.baseAddress!, bytes.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)))
        }
    }

    func finish() {
        if let secured { try? sendRaw(secured.end()) }
        shutdown(descriptor, Int32(SHUT_WR))
    }

    /// The same without a word of TLS.
    func finishPastTLS() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Makes the close that follows a reset.
    func resetOnClose() {
        var option = Glibc.linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<Glibc.linger>.size))
    }

    /// A head with the body that its fields announce. `hasBody` false: as for a response to HEAD.
    func message(hasBody: Bool = true) throws -> Message {
        let head = String(decoding: try bytes(through: "\r\n\r\n"), as: UTF8.self)
        let lines = head.components(separatedBy: "\r\n")
        var message = Message(startLine: lines[0], fields: Array(lines.dropFirst()), body: [], rawBody: [])
        message.fields.removeAll { $0.isEmpty }
        let isResponse = message.startLine.hasPrefix("HTTP/")
        let isBodiless = isResponse && (message.status < 200 || [204, 304].contains(message.status))
        guard hasBody, !isBodiless else { return message }
        if message["transfer-encoding"]?.lowercased() == "chunked" {
            try readChunks(into: &message)
        } else if let length = message["content-length"].flatMap({ Int($0) }) {
            message.body = try bytes(count: length)
            message.rawBody = message.body
        } else if isResponse {
            message.body = try rest()
            message.rawBody = message.body
        }
        return message
    }

    private func readChunks(into message: inout Message) throws {
        while true {
            let line = try bytes(through: "\r\n")
            message.rawBody += line
            let size = Int(String(decoding: line.dropLast(2), as: UTF8.self), radix: 16) ?? -1
            guard size >= 0 else { throw Failure.closed("chunk size \(line)") }
            if size == 0 {
                message.rawBody += try bytes(through: "\r\n")
                return
            }
            let data = try bytes(count: size + 2)
            message.rawBody += data
            message.body += data.dropLast(2)
        }
    }

    /// All bytes to the peer's FIN.
    func rest() throws -> [UInt8] {
        while try fill() {}
        defer { buffer = [] }
        return buffer
    }

    func bytes(count: Int) throws -> [UInt8] {
        while buffer.count < count {
            guard try fill() else { throw Failure.closed(String(decoding: buffer, as: UTF8.self)) }
        }
        defer { buffer.removeFirst(count) }
        return Array(buffer[..<count])
    }

    func bytes(through mark: String) throws -> [UInt8] {
        let mark = Array(mark.utf8)
        var start = 0
        while true {
            if buffer.count >= mark.count {
                for index in start...(buffer.count - mark.count)
                where buffer[index] == mark[0] && Array(buffer[index..<index + mark.count]) == mark {
                    return try bytes(count: index + mark.count)
                }
                start = buffer.count - mark.count + 1
            }
            guard try fill() else { throw Failure.closed(String(decoding: buffer, as: UTF8.self)) }
        }
    }

    /// False at the peer's end.
    private func fill() throws -> Bool {
        guard let secured else {
            let part = try receiveRaw()
            buffer += part
            return !part.isEmpty
        }
        let early = secured.takeEarly()
        if !early.isEmpty {
            buffer += early
            return true
        }
        while !secured.hasEnded {
            let part = try receiveRaw()
            if part.isEmpty { return false }
            let plain = try secured.decrypt(part)
            buffer += plain
            if !plain.isEmpty { return true }
        }
        return false
    }

    /// Empty at the peer's FIN.
    private func receiveRaw() throws -> [UInt8] {
        var part = [UInt8](repeating: 0, count: 1 << 16)
        var count: Int
        repeat { count = recv(descriptor, &part, part.count, 0) } while count < 0 && errno == EINTR
        if count < 0 {
            throw errno == EAGAIN ? Failure.timedOut(String(decoding: buffer, as: UTF8.self)) : Failure.reset
        }
        return Array(part[..<count])
    }
}

extension String {
    fileprivate func components(separatedBy separator: String) -> [String] {
        var parts: [String] = []
        var part: [UInt8] = []
        let mark = Array(separator.utf8)
        for byte in utf8 {
            part.append(byte)
            if part.suffix(mark.count).elementsEqual(mark) {
                parts.append(String(decoding: part.dropLast(mark.count), as: UTF8.self))
                part = []
            }
        }
        parts.append(String(decoding: part, as: UTF8.self))
        return parts
    }
}
