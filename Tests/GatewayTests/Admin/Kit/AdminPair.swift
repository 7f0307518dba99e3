import CLinux
import Gateway
import Glibc
import Posix
import Testing

/// A connection of the admin server, and the client's end of it.
final class AdminPair {
    let connection: AdminConnection
    let client: FileDescriptor

    init(at start: Instant) throws {
        var ends: [Int32] = [-1, -1]
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        try #require(socketpair(AF_UNIX, type, 0, &ends) == 0)
        client = FileDescriptor(owning: ends[0])
        connection = try AdminConnection(FileDescriptor(owning: ends[1]), author: "127.0.0.1", at: start)
    }

    func send(_ text: String) {
        let bytes = Array(text.utf8)
        #expect(Glibc.send(client.raw, bytes, bytes.count, 0) == bytes.count)
    }

    /// What has arrived; nil when the server has closed.
    func received() -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        let count = recv(client.raw, &buffer, buffer.count, 0)
        return count == 0 ? nil : Array(buffer[..<max(0, count)])
    }
}
