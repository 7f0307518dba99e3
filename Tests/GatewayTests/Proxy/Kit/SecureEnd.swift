import TLS

/// A test's end of a secured connection.
final class SecureEnd {
    enum Failure: Error, Equatable {
        case handshake(HandshakeFault)
        case broken
    }

    private let client: TLSClient
    private let wire: TLSWire
    private let link: TLSLink
    private(set) var hasEnded = false
    /// Plain text that came with the last bytes of the handshake.
    private var early: [UInt8] = []

    /// What a later connection can resume; nil when the server gave nothing.
    var session: TLSClientSession? { link.takeSession() }

    init(_ client: TLSClient, resuming session: TLSClientSession? = nil) throws {
        self.client = client
        wire = try TLSWire(capacity: 64 << 20)
        guard let link = TLSLink(dialling: "127.0.0.1", as: client, on: wire) else { throw Failure.broken }
        self.link = link
        if let session { link.resume(session) }
    }

    deinit { link.free() }

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
        guard bytes.withUnsafeBytes(link.write) else { throw Failure.broken }
        return takeOutput()
    }

    func decrypt(_ bytes: [UInt8]) throws -> [UInt8] {
        try bytes.withUnsafeBytes { bytes in
            wire.offer(bytes)
            defer { early = [] }
            return early + (try readAll())
        }
    }

    /// Says that nothing more comes.
    func end() -> [UInt8] {
        link.sayEnd()
        return takeOutput()
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
