import Glibc
import Posix
import Testing

/// Both ends of a connection over the loopback interface.
final class ClientAndServer {
    enum Received: Equatable {
        case bytes(String)
        case failure(Int32)
    }

    /// The server's.
    let address: SocketAddress
    private let client: FileDescriptor
    private let listener: FileDescriptor
    private let server: Int32

    init() throws {
        listener = try Socket.listen(on: #require(SocketAddress("127.0.0.1:0")), options: .sharedPort)
        address = try #require(Socket.localAddress(of: listener.raw))
        client = try Socket.startConnecting(to: address)
        try Self.wait(for: POLLOUT, client.raw)
        try Self.wait(for: POLLIN, listener.raw)
        var peer = address
        server = try #require(try Socket.accept(from: listener.raw, peer: &peer)?.take())
    }

    /// To be called once: the server's end under repair.
    func captured() throws -> RepairedSocket { try RepairedSocket(capturing: FileDescriptor(owning: server)) }

    /// Until the server's kernel has the bytes.
    func clientSends(_ text: String) throws {
        try #require(send(client.raw, text, text.utf8.count, 0) == text.utf8.count)
        try Self.wait(for: POLLIN, server)
    }

    func clientReceives() throws -> Received {
        try Self.wait(for: POLLIN, client.raw)
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = recv(client.raw, &bytes, bytes.count, 0)
        return count < 0 ? .failure(errno) : .bytes(String(decoding: bytes[..<count], as: UTF8.self))
    }

    private static func wait(for events: Int32, _ raw: Int32) throws {
        var waiting = pollfd(fd: raw, events: Int16(events), revents: 0)
        try #require(poll(&waiting, 1, 20_000) == 1)
    }
}
