import CLinux
import Glibc
import Posix

/// A blocking client that sends bytes as they are.
final class AdminClient {
    private let socket: FileDescriptor

    init(_ address: SocketAddress) throws {
        socket = try Socket.startConnecting(to: address)
        try wait(for: POLLOUT)
    }

    init(socketAt path: String) throws {
        socket = try UnixSocket.startConnecting(to: path)
        try wait(for: POLLOUT)
    }

    func send(_ text: String) throws {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            try wait(for: POLLOUT)
            let count = rest.withUnsafeBytes {
                Glibc.send(socket.raw, $0.baseAddress!, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw SystemError("send") }
            rest = rest.dropFirst(count)
        }
    }

    func endSending() { shutdown(socket.raw, Int32(SHUT_WR)) }

    /// Everything until the server closes.
    func receiveAll() throws -> String {
        var text: [UInt8] = []
        while let part = try receive() { text += part }
        return String(decoding: text, as: UTF8.self)
    }

    /// What comes through the next `mark`, at least; all there is when the server closes before.
    func receive(through mark: String) throws -> String {
        var text: [UInt8] = []
        while !String(decoding: text, as: UTF8.self).contains(mark) {
            guard let part = try receive() else { break }
            text += part
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// One response, by its Content-Length.
    func receiveResponse() throws -> String {
        var text: [UInt8] = []
        while true {
            let string = String(decoding: text, as: UTF8.self)
            if let end = string.firstRange(of: "\r\n\r\n"), let label = string.firstRange(of: "Content-Length: ") {
                let length = Int(string[label.upperBound...].prefix { $0.isNumber })!
                if string[end.upperBound...].utf8.count >= length { return string }
            } else if string.hasPrefix("HTTP/1.1 100 "), string.hasSuffix("\r\n\r\n") {
                return string
            }
            guard let part = try receive() else { return string }
            text += part
        }
    }

    private func receive() throws -> [UInt8]? {
        try wait(for: POLLIN)
        var buffer = [UInt8](repeating: 0, count: 65536)
        let count = recv(socket.raw, &buffer, buffer.count, 0)
        guard count >= 0 else { throw SystemError("recv") }
        return count == 0 ? nil : Array(buffer[..<count])
    }

    private func wait(for events: Int32) throws {
        var poll = pollfd(fd: socket.raw, events: Int16(events), revents: 0)
        guard Glibc.poll(&poll, 1, 10_000) == 1 else { throw SystemError("wait for the server", code: ETIMEDOUT) }
    }
}
