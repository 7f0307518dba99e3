import FoundationEssentials
import Gateway
import Glibc
import Posix
import Testing

/// An admin API on a socket with a path.
@Suite final class AdminSocketTests {
    private let node = FakeNode()
    private let directory: String
    private let path: String

    init() throws {
        var template = Array("/tmp/gwnode-socket-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw SystemError("mkdtemp") }
        directory = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
        path = directory + "/admin.sock"
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    private func rights(_ path: String) -> UInt32? {
        var status = stat()
        return lstat(path, &status) == 0 ? status.st_mode & 0o777 : nil
    }

    private func live() throws -> String {
        let client = try AdminClient(socketAt: path)
        try client.send("GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return String(try client.receiveAll().suffix(5))
    }

    private func serve(_ rights: AdminSocketRights = .standard) throws(AdminServerError) -> AdminServer {
        try AdminServer(.unix(path: path), rights: rights, handler: AdminHandler(services: node.services, names: []))
    }

    @Test func servesWhoMayWriteAndLeavesNothingBehind() throws {
        let server = try serve()
        #expect(rights(path) == 0o600)
        #expect(try live() == "live\n")
        server.stop()
        #expect(rights(path) == nil)
        #expect(throws: SystemError.self) { try self.live() }
    }

    @Test func modeAndGroupAreTheConfigured() throws {
        let group = String(cString: getgrgid(getgid()).pointee.gr_name)
        let server = try serve(AdminSocketRights(mode: 0o660, group: group))
        #expect(rights(path) == 0o660)
        server.stop()
        #expect(throws: AdminServerError.unknown("user", "nobody-of-that-name")) {
            try self.serve(AdminSocketRights(owner: "nobody-of-that-name"))
        }
        #expect(rights(path) == nil)
    }

    /// A killed node leaves its socket.
    @Test func staleSocketIsReplaced() throws {
        do { _ = try UnixSocket.listen(on: path, rights: .init()) }
        #expect(rights(path) != nil)
        #expect(throws: SystemError.self) { try self.live() }
        let server = try serve()
        #expect(try live() == "live\n")
        server.stop()
    }

    @Test func whatSomebodyUsesIsLeftAlone() throws {
        let server = try serve()
        #expect { try self.serve() } throws: { "\($0)".contains("Address already in use; stop what listens there") }
        #expect(try live() == "live\n")
        server.stop()
        try Data("keep me".utf8).write(to: URL(filePath: path))
        #expect { try self.serve() } throws: { "\($0)".contains("what is there is no socket: remove it") }
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "keep me")
    }
}
