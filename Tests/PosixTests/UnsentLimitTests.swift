import CLinux
import Glibc
import Posix
import Testing

@Suite struct UnsentLimitTests {
    @Test func acceptedConnectionsInheritIt() throws {
        let listener = try Socket.listen(on: SocketAddress("127.0.0.1:0")!)
        Socket.limitUnsent(listener.raw)
        let address = try #require(Socket.localAddress(of: listener.raw))
        let reader = try Socket.startConnecting(to: address)
        var ready = pollfd(fd: listener.raw, events: Int16(POLLIN), revents: 0)
        try #require(poll(&ready, 1, 20_000) == 1)
        var peer = address
        guard let accepted = try Socket.accept(from: listener.raw, peer: &peer) else {
            Issue.record("poll said that a connection waits")
            return
        }

        // The reader takes nothing: its window fills first, 64 KB of it, then what may wait unsent.
        let piece = [UInt8](repeating: 0, count: 16 << 10)
        var (total, code) = (0, Int32(0))
        while code == 0 {
            let count = Glibc.write(accepted.raw, piece, piece.count)
            if count < 0 { code = errno } else { total += count }
        }
        #expect(code == EAGAIN)
        #expect(total >= 128 << 10)
        #expect(total < 1 << 20, "without a limit it is more than 2 MB")
        withExtendedLifetime(reader) {}
    }
}
