import Posix
import Synchronization
import TLS

/// A test's end of a secured connection. One thread may send while another receives.
final class SecureEnd {
    enum Failure: Error, Equatable {
        case handshake(HandshakeFault)
        case broken
    }

    /// A `TLSClient` or a `TLSServer`, which has to outlive the connection.
    private let terms: AnyObject
    private let wire: TLSWire
    private let link: TLSLink
    /// OpenSSL wants one thread at a time for each connection.
    private let turn = Mutex(())
    private(set) var hasEnded = false
    /// Plain text that came with the last bytes of the handshake.
    private var early: [UInt8] = []

    /// What a later connection can resume; nil when the server gave nothing.
    var session: TLSClientSession? { link.takeSession() }

    init(_ client: TLSClient, resuming session: TLSClientSession? = nil) throws {
        terms = client
        wire = try TLSWire(capacity: 64 << 20)
        guard let link = TLSLink(dialling: "127.0.0.1", as: client, on: wire) else { throw Failure.broken }
        self.link = link
        if let session { link.resume(session) }
    }

    /// The end of a backend.
    init(serving server: TLSServer) throws {
        terms = server
        wire = try TLSWire(capacity: 64 << 20)
        guard let link = TLSLink(serving: server, on: wire) else { throw Failure.broken }
        self.link = link
    }

    deinit { link.free() }

    /// The subject of the certificate that the other end has shown; empty without one.
    var peerSubject: String {
        withUnsafeTemporaryAllocation(byteCount: 1024, alignment: 1) { buffer in
            let count = link.peerSubject(into: buffer)
            return String(decoding: UnsafeRawBufferPointer(rebasing: buffer[..<count]), as: UTF8.self)
        }
    }

    /// Plain text that came with the end of the handshake.
    func takeEarly() -> [UInt8] {
        defer { early = [] }
        return early
    }

    var isResumed: Bool { link.isResumed }

    private func takeOutput() -> [UInt8] {
        defer { wire.clear() }
        return Array(wire.output)
    }

    func shakeHands(send: ([UInt8]) throws -> Void, receive: () throws -> [UInt8]) throws {
        var isDone = false
        while !isDone {
            switch link.shakeHands() {
            case .done: isDone = true
            case .failed(let fault):
                try? send(takeOutput())
                throw Failure.handshake(fault)
            case .waits: break
            }
            try send(takeOutput())
            if isDone { return }
            let bytes = try receive()
            if bytes.isEmpty { throw Failure.handshake(.aborted) }
            try bytes.withUnsafeBytes { bytes in
                wire.offer(bytes)
                switch link.shakeHands() {
                case .done:
                    isDone = true
                    early += try readAll()
                case .waits: break
                case .failed(let fault):
                    try? send(takeOutput())
                    throw Failure.handshake(fault)
                }
            }
            try send(takeOutput())
        }
    }

    func encrypt(_ bytes: [UInt8]) throws -> [UInt8] {
        if bytes.isEmpty { return [] }
        return try turn.withLock { _ in
            guard bytes.withUnsafeBytes(link.write) else { throw Failure.broken }
            return takeOutput()
        }
    }

    func decrypt(_ bytes: [UInt8]) throws -> [UInt8] {
        try turn.withLock { _ in
            try bytes.withUnsafeBytes { bytes in
                wire.offer(bytes)
                return takeEarly() + (try readAll())
            }
        }
    }

    /// Says that nothing more comes.
    func end() -> [UInt8] {
        turn.withLock { _ in
            link.sayEnd()
            return takeOutput()
        }
    }

    private func readAll() throws -> [UInt8] {
        var all: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            switch part.withUnsafeMutableBytes({ link.read(into: $0) }) {
            case .bytes(let count): all += part[..<count]
            case .nothing: return all
            case .end:
                hasEnded = true
                return all
            case .failed: throw Failure.broken
            }
        }
    }
}
