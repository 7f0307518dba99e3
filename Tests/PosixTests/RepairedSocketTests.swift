import CLinux
import Glibc
import Testing

@testable import Posix

/// Connections over the loopback interface that are taken from one socket and brought to life in another.
@Suite(.enabled(if: RepairedSocket.obstacle() == nil, "needs CAP_NET_ADMIN"))
struct RepairedSocketTests {
    @Test(arguments: ["127.0.0.1:0", "[::1]:0"])
    func bytesOfBothDirectionsAreCarried(address: String) throws {
        let pair = try ConnectedPair(on: #require(SocketAddress(address)))
        try pair.client.send("unread")
        try pair.waitForInput(6)
        var image = try image(of: pair)
        #expect(image.unread == Array("unread".utf8))
        image.putBack(Array("taken and ".utf8))
        let restored = try RepairedSocket(restoring: image).resume()
        #expect(try restored.receive(16) == "taken and unread")
        try restored.send("answer")
        #expect(try pair.client.receive(6) == "answer")
        try pair.client.send("next")
        #expect(try restored.receive(4) == "next")
    }

    @Test func whatWasNotAcknowledgedIsSentAgain() throws {
        let pair = try ConnectedPair(on: #require(SocketAddress("127.0.0.1:0")))
        var image = try image(of: pair)
        // As if these had been written and were lost on their way, the last ones unsent.
        image.unacknowledged = Array("lost, unsent".utf8)
        image.unsentCount = 6
        let restored = try RepairedSocket(restoring: image).resume()
        #expect(try pair.client.receive(12) == "lost, unsent")
        try pair.client.send("heard")
        #expect(try restored.receive(5) == "heard")
    }

    @Test func aCapturedConnectionGoesOnWhereItWas() throws {
        let pair = try ConnectedPair(on: #require(SocketAddress("127.0.0.1:0")))
        let again = try RepairedSocket(capturing: pair.takeServer()).resume()
        try pair.client.send("still there?")
        #expect(try again.receive(12) == "still there?")
    }

    /// Otherwise the kernel would scale the windows that it tells, and the peer would never send more than some bytes.
    @Test func windowsAreNotScaledWhereThatWasNotAgreed() throws {
        let pair = try ConnectedPair(on: #require(SocketAddress("127.0.0.1:0")))
        var image = try image(of: pair)
        image.options.windowScales = nil
        let restored = try RepairedSocket(restoring: image).resume()
        let scales = try RepairedSocket(capturing: restored).image.options.windowScales
        #expect(scales == TCPConnectionImage.WindowScales(sending: 0, receiving: 0))
        withExtendedLifetime(pair) {}
    }

    private func information(_ descriptor: borrowing FileDescriptor) throws -> tcp_info {
        var information = tcp_info()
        var length = socklen_t(MemoryLayout<tcp_info>.size)
        try #require(getsockopt(descriptor.raw, Int32(IPPROTO_TCP), TCP_INFO, &information, &length) == 0)
        return information
    }

    /// Otherwise they would be small for the rest of the connection.
    @Test(arguments: ["127.0.0.1:0", "[::1]:0"])
    func segmentsAreAsLongAsBefore(address: String) throws {
        let pair = try ConnectedPair(on: #require(SocketAddress(address)))
        var image = try image(of: pair)
        image.options.maximumSegmentSize = 1460
        let restored = try RepairedSocket(restoring: image).resume()
        let bytes = try information(restored).tcpi_snd_mss
        #expect(1440...1460 ~= bytes, "\(bytes) bytes")
        withExtendedLifetime(pair) {}
    }

    @Test func aConnectionThatTheClientHasEndedIsNotMoved() throws {
        let pair = try ConnectedPair(on: #require(SocketAddress("127.0.0.1:0")))
        shutdown(pair.client.raw, Int32(SHUT_WR))
        try pair.waitForInput(0)
        #expect(throws: SystemError.self) { _ = try RepairedSocket(capturing: pair.takeServer()) }
    }

    @Test(arguments: ["127.0.0.1:0", "[::1]:0"])
    func aPositionIsToldWithoutDisturbing(address: String) throws {
        let pair = try ConnectedPair(on: #require(SocketAddress(address)))
        let server = pair.borrowedServer
        let first = try RepairedSocket.position(of: server)
        try pair.client.send("four")
        try pair.waitForInput(4)
        var rest = clinux_tcp_rest()
        #expect(!clinux_tcp_is_at_rest(server, &rest), "four bytes wait to be read")
        var bytes = [UInt8](repeating: 0, count: 4)
        #expect(recv(server, &bytes, 4, 0) == 4)
        #expect(send(server, "answer", 6, 0) == 6)
        #expect(try pair.client.receive(6) == "answer")
        let deadline = Instant.now() + .seconds(20)
        while !clinux_tcp_is_at_rest(server, &rest), Instant.now() < deadline {}
        #expect(rest.sent == 6 && rest.received == 4)
        let second = try RepairedSocket.position(of: server)
        #expect(second.send == first.send &+ 6 && second.receive == first.receive &+ 4)
        let image = try image(of: pair)
        #expect(image.sendSequence == second.send && image.receiveSequence == second.receive)
        #expect(image.options.maximumSegmentSize == second.maximumSegmentSize)
    }

    @Test func aForsakenPeerIsNotTold() throws {
        let pair = try ConnectedPair(on: #require(SocketAddress("127.0.0.1:0")))
        let descriptor = pair.takeServer()
        RepairedSocket.forsake(descriptor.raw)
        #expect(Socket.peerAddress(of: descriptor.raw) == nil, "another may have its numbers now")
        close(descriptor.take())
        var waiting = pollfd(fd: pair.client.raw, events: Int16(POLLIN), revents: 0)
        #expect(poll(&waiting, 1, 50) == 0)
        withExtendedLifetime(pair) {}
    }

    @Test func aForsakenConnectionCanBeMadeAnewThoughOthersHaveItsSocket() throws {
        let pair = try ConnectedPair(on: #require(SocketAddress("127.0.0.1:0")))
        let descriptor = pair.takeServer()
        let other = FileDescriptor(owning: dup(descriptor.raw))
        let captured = try RepairedSocket(capturing: descriptor)
        captured.forsake()
        let restored = try RepairedSocket(restoring: captured.image).resume()
        try pair.client.send("still there?")
        #expect(try restored.receive(12) == "still there?")
        #expect(other.raw >= 0)
    }

    @Test func othersCanListenOnThePortOfARestoredConnection() throws {
        let pair = try ConnectedPair(on: #require(SocketAddress("127.0.0.1:0")))
        let image = try image(of: pair)
        let restored = try RepairedSocket(restoring: image).resume()
        let listener = try Socket.listen(on: image.local, options: .sharedPort)
        #expect(Socket.localAddress(of: listener.raw) == image.local)
        #expect(Socket.peerAddress(of: restored.raw) == image.peer)
        withExtendedLifetime(pair) {}
    }
}

/// The socket itself ends with this; the peer hears nothing of it.
private func image(of pair: ConnectedPair) throws -> TCPConnectionImage {
    try RepairedSocket(capturing: pair.takeServer()).image
}

private final class ConnectedPair {
    let client: FileDescriptor
    private let listener: FileDescriptor
    private let server: Int32
    var borrowedServer: Int32 { server }

    init(on address: SocketAddress) throws {
        listener = try Socket.listen(on: address, options: .sharedPort)
        let bound = try #require(Socket.localAddress(of: listener.raw))
        client = try Socket.startConnecting(to: bound)
        try client.wait(POLLOUT)
        try listener.wait(POLLIN)
        var peer = bound
        server = try #require(try Socket.accept(from: listener.raw, peer: &peer)?.take())
    }

    /// To be called once.
    func takeServer() -> FileDescriptor { FileDescriptor(owning: server) }

    /// Until the server's kernel has `count` bytes, or the end for 0.
    func waitForInput(_ count: Int32) throws {
        var waiting = pollfd(fd: server, events: Int16(POLLIN), revents: 0)
        try #require(poll(&waiting, 1, 20_000) == 1)
        var bytes = [UInt8](repeating: 0, count: 64)
        let flags = Int32(MSG_PEEK) | (count > 0 ? 0 : Int32(MSG_DONTWAIT))
        try #require(recv(server, &bytes, Int(count), flags) == Int(count))
    }
}

extension FileDescriptor {
    fileprivate func wait(_ events: Int32) throws {
        var waiting = pollfd(fd: raw, events: Int16(events), revents: 0)
        try #require(poll(&waiting, 1, 20_000) == 1)
    }

    fileprivate func send(_ text: String) throws {
        let bytes = Array(text.utf8)
        try #require(Glibc.send(raw, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count)
    }

    fileprivate func receive(_ count: Int) throws -> String {
        var all: [UInt8] = []
        while all.count < count {
            try wait(POLLIN)
            var bytes = [UInt8](repeating: 0, count: count - all.count)
            let taken = recv(raw, &bytes, bytes.count, 0)
            try #require(taken > 0)
            all += bytes[..<taken]
        }
        return String(decoding: all, as: UTF8.self)
    }
}
