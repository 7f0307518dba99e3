import Glibc
import Posix

/// A TCP connection whose calls wait, for HTTP messages with a length.
final class BlockingConnection {
    private static let headLimit = 1024
    private static let patience = timeval(tv_sec: 30, tv_usec: 0)

    private let socket: FileDescriptor
    private var buffer = [UInt8](repeating: 0, count: 64 << 10)
    private var unused: ArraySlice<UInt8> = []
    /// Nothing came for too long.
    private(set) var hasTimedOut = false

    /// Nil when the connection can not be made. With a `window` that is what it can receive at once, in bytes; with a `port`
    /// it comes from there.
    convenience init?(to address: SocketAddress, window: Int32? = nil, from port: UInt16? = nil) {
        let socket = FileDescriptor(owning: Glibc.socket(address.family, Int32(SOCK_STREAM.rawValue), 0))
        if var window { setsockopt(socket.raw, SOL_SOCKET, SO_RCVBUF, &window, socklen_t(MemoryLayout<Int32>.size)) }
        if let port {
            let own = SocketAddress(ip: IPAddress(address.ip.isIPv4 ? "0.0.0.0" : "::")!, port: port)
            guard own.withSockaddr({ bind(socket.raw, $0, $1) }) == 0 else { return nil }
        }
        guard address.withSockaddr({ connect(socket.raw, $0, $1) }) == 0 else { return nil }
        self.init(socket)
    }

    init(_ socket: consuming FileDescriptor) {
        var patience = Self.patience
        setsockopt(socket.raw, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        Socket.setNoDelay(socket.raw)
        self.socket = socket
    }

    /// Of this end.
    var port: UInt16? { Socket.localAddress(of: socket.raw)?.port }

    func send(_ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(socket.raw, $0.baseAddress! + sent, $0.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }

    struct Message {
        /// The first line of the head.
        var start: Substring
        var body: [UInt8]
    }

    /// The next message, nil at the end of the connection and after what is none.
    func receive() -> Message? {
        var bytes: [UInt8] = []
        let end = Array("\r\n\r\n".utf8)
        var headEnd: Int?
        while headEnd == nil {
            guard take(&bytes) else { return nil }
            headEnd = bytes.prefix(Self.headLimit).indices.dropLast(3).first { place in
                bytes[place] == end[0] && bytes[place..<place + 4].elementsEqual(end)
            }
        }
        guard let headEnd else { return nil }
        let lines = String(decoding: bytes[..<headEnd], as: UTF8.self).split(separator: "\r\n")
        let lengths = lines.dropFirst().compactMap { line -> Int? in
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts[0].lowercased() == "content-length" else { return nil }
            return Int(parts[1].drop { $0 == " " })
        }
        let total = headEnd + 4 + (lengths.first ?? 0)
        bytes.reserveCapacity(total)
        while bytes.count < total {
            guard take(&bytes) else { return nil }
        }
        unused = bytes[total...]
        return Message(start: lines[0], body: Array(bytes[headEnd + 4..<total]))
    }

    private func take(_ bytes: inout [UInt8]) -> Bool {
        if !unused.isEmpty {
            bytes += unused
            unused = []
            return true
        }
        let count = recv(socket.raw, &buffer, buffer.count, 0)
        hasTimedOut = count < 0 && errno == EAGAIN
        guard count > 0 else { return false }
        bytes += buffer[..<count]
        return true
    }
}
