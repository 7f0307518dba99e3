import CLinux
import Gateway
import Glibc
import Posix

/// The HTTP server behind `gwnode demo`: answers every request with its name, in the body and in `X-Backend`.
/// One thread; keep-alive and pipelining; request bodies are read and thrown away.
enum SampleBackend {
    /// Serves until the process is ended.
    static func serve(on address: SocketAddress, name: String) throws(CommandFailure) -> ExitCode {
        ignoreBrokenPipes()
        do throws(SystemError) {
            var server = try Server(address: address, name: name)
            try server.run()
        } catch {
            throw CommandFailure(.failure, "\(error); \(error.cure)")
        }
    }

    private static let maximumConnections = 10_000

    private struct Server: ~Copyable {
        private let poller: Poller
        private let listener: FileDescriptor
        private let name: String
        private var connections: [Int32: Connection] = [:]
        private let fields = FieldTable()

        init(address: SocketAddress, name: String) throws(SystemError) {
            let poller = try Poller()
            let listener = try Socket.listen(on: address)
            try poller.add(listener.raw, .read, token: UInt64(listener.raw))
            self.poller = poller
            self.listener = listener
            self.name = name
        }

        mutating func run() throws(SystemError) -> Never {
            while true {
                for index in 0..<(try poller.wait(timeoutMilliseconds: -1)) {
                    let descriptor = Int32(truncatingIfNeeded: poller.event(index).token)
                    if descriptor == listener.raw { try acceptAll() } else { serve(descriptor) }
                }
            }
        }

        private mutating func acceptAll() throws(SystemError) {
            var peer = SocketAddress(ip: IPAddress(v4: 0), port: 0)
            while let socket = try Socket.accept(from: listener.raw, peer: &peer) {
                guard connections.count < SampleBackend.maximumConnections else { continue }
                Socket.setNoDelay(socket.raw)
                try poller.add(socket.raw, .read, token: UInt64(socket.raw))
                let raw = socket.raw
                connections[raw] = Connection(socket: socket, name: name)
            }
        }

        private mutating func serve(_ descriptor: Int32) {
            guard let connection = connections[descriptor] else { return }
            if !connection.serve(fields) {
                poller.remove(descriptor)
                connections[descriptor] = nil
            } else if connection.waitsForWriting != connection.isWatchedForWriting {
                connection.isWatchedForWriting = connection.waitsForWriting
                try? poller.modify(
                    descriptor, connection.waitsForWriting ? .write : .read, token: UInt64(descriptor))
            }
        }
    }

    private final class Connection {
        private let socket: FileDescriptor
        private let name: String
        private var input: [UInt8] = []
        private var output: [UInt8] = []
        private var body: BodyDecoder?
        private var progress = ParseProgress()
        private var isLast = false
        var isWatchedForWriting = false

        init(socket: consuming FileDescriptor, name: String) {
            self.socket = socket
            self.name = name
        }

        var waitsForWriting: Bool { !output.isEmpty }

        /// False when the connection is done.
        func serve(_ fields: borrowing FieldTable) -> Bool {
            if waitsForWriting {
                guard flush() else { return false }
            } else {
                guard receive() else { return false }
                answerAll(fields)
                guard flush() else { return false }
            }
            return waitsForWriting || !isLast
        }

        private func receive() -> Bool {
            var chunk = [UInt8](repeating: 0, count: 64 << 10)
            let count = retryingOnInterrupt { recv(socket.raw, &chunk, chunk.count, 0) }
            if count < 0 { return errno == EAGAIN }
            input += chunk[..<count]
            return count > 0
        }

        private func answerAll(_ fields: borrowing FieldTable) {
            var used = 0
            input.withUnsafeMutableBytes { bytes in
                while !isLast, used < bytes.count {
                    let rest = UnsafeMutableRawBufferPointer(rebasing: bytes[used...])
                    guard let count = body == nil ? takeHead(rest, fields) : takeBody(rest) else { break }
                    used += count
                }
            }
            input.removeFirst(used)
        }

        /// The bytes of the head, nil when it is not whole yet.
        private func takeHead(_ bytes: UnsafeMutableRawBufferPointer, _ fields: borrowing FieldTable) -> Int? {
            switch RequestParser.parse(bytes, fields: fields, progress: &progress) {
            case .incomplete: return nil
            case .invalid(let fault):
                respond(status: "\(fault.status) Refused", text: "\(fault.reason)\n", isHead: false, closes: true)
                return bytes.count
            case .complete(let head):
                progress = ParseProgress()
                if !head.traits.framing.isEmpty { body = BodyDecoder(head.traits.framing) }
                if head.traits.expectsContinue { output += "HTTP/1.1 100 Continue\r\n\r\n".utf8 }
                let path = String(decoding: bytes[head.path.range], as: UTF8.self)
                let isHead = head.traits.method == .head
                let text = "\(name) answered \(path)\n"
                respond(status: "200 OK", text: text, isHead: isHead, closes: !head.traits.isPersistent)
                return head.byteCount
            }
        }

        private func takeBody(_ bytes: UnsafeMutableRawBufferPointer) -> Int? {
            guard let progress = try? body?.decode(bytes) else {
                isLast = true
                return bytes.count
            }
            if progress.isComplete { body = nil }
            return progress.consumed
        }

        private func respond(status: String, text: String, isHead: Bool, closes: Bool) {
            isLast = isLast || closes
            output += "HTTP/1.1 \(status)\r\nContent-Type: text/plain\r\nX-Backend: \(name)\r\n".utf8
            output += "Content-Length: \(text.utf8.count)\r\n\(closes ? "Connection: close\r\n" : "")\r\n".utf8
            if !isHead { output += text.utf8 }
        }

        /// False when the connection is broken; what could not be written stays in `output`.
        private func flush() -> Bool {
            while !output.isEmpty {
                let count = retryingOnInterrupt {
                    send(socket.raw, output, output.count, Int32(MSG_NOSIGNAL))
                }
                if count < 0 { return errno == EAGAIN }
                output.removeFirst(count)
            }
            return true
        }
    }
}
