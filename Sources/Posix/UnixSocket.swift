import CLinux
import Glibc

/// Stream sockets with a path, always non-blocking and close-on-exec.
package enum UnixSocket {
    /// Of a path; the kernel keeps a zero behind it.
    package static let longestPath = 107

    /// Who may connect: whoever may write to the socket's file.
    package struct Rights: Hashable, Sendable {
        /// The permission bits.
        package var mode: UInt32
        /// Nil: as it is made.
        package var owner: UInt32?
        package var group: UInt32?

        package init(mode: UInt32 = 0o600, owner: UInt32? = nil, group: UInt32? = nil) {
            self.mode = mode
            self.owner = owner
            self.group = group
        }
    }

    /// Makes the socket's file, with its rights before anybody can connect. What a process that has ended left there is
    /// replaced; a socket that somebody listens on, and anything that is no socket, is not.
    package static func listen(
        on path: String, rights: Rights, backlog: Int32 = 4096
    ) throws(SystemError) -> FileDescriptor {
        let socket = try open()
        if !bind(socket.raw, to: path) {
            guard errno == EADDRINUSE else { throw SystemError("bind", path) }
            try removeStale(path)
            guard bind(socket.raw, to: path) else { throw SystemError("bind", path) }
        }
        do throws(SystemError) {
            if rights.owner != nil || rights.group != nil {
                guard chown(path, rights.owner ?? .max, rights.group ?? .max) == 0 else {
                    throw SystemError("change the owner of", path)
                }
            }
            guard chmod(path, rights.mode) == 0 else { throw SystemError("change the mode of", path) }
            guard Glibc.listen(socket.raw, backlog) == 0 else { throw SystemError("listen on", path) }
        } catch {
            unlink(path)
            throw error
        }
        return socket
    }

    /// Begins to connect, as `Socket.startConnecting` does.
    package static func startConnecting(to path: String) throws(SystemError) -> FileDescriptor {
        let socket = try open()
        let result = withAddress(path) { connect(socket.raw, $0, $1) }
        guard result == 0 || errno == EINPROGRESS || errno == EAGAIN else { throw SystemError("connect to", path) }
        return socket
    }

    /// Takes one waiting connection, nil when there is none.
    package static func accept(from listener: Int32) throws(SystemError) -> FileDescriptor? {
        let raw = retryingOnInterrupt { clinux_accept(listener, nil, nil) }
        if raw >= 0 { return FileDescriptor(owning: raw) }
        if errno == EAGAIN || errno == ECONNABORTED { return nil }
        throw SystemError("accept")
    }

    /// The user at the other end, as the kernel knows it.
    package static func peerUser(of descriptor: Int32) -> UInt32? {
        var credentials = (pid: Int32(0), user: UInt32(0), group: UInt32(0))
        var length = socklen_t(MemoryLayout.size(ofValue: credentials))
        return getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &length) == 0 ? credentials.user : nil
    }

    private static func removeStale(_ path: String) throws(SystemError) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else { throw SystemError("bind", path, code: ENOTSOCK) }
        let probe = try open()
        guard withAddress(path, { connect(probe.raw, $0, $1) }) != 0, errno == ECONNREFUSED else {
            throw SystemError("bind", path, code: EADDRINUSE)
        }
        guard unlink(path) == 0 || errno == ENOENT else { throw SystemError("remove", path) }
    }

    private static func bind(_ descriptor: Int32, to path: String) -> Bool {
        withAddress(path) { Glibc.bind(descriptor, $0, $1) } == 0
    }

    private static func withAddress<Result>(
        _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        let bytes = Array(path.utf8)
        precondition(bytes.count <= longestPath, "the path is too long for a socket")
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }

    private static func open() throws(SystemError) -> FileDescriptor {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let raw = socket(AF_UNIX, type, 0)
        guard raw >= 0 else { throw SystemError("socket") }
        return FileDescriptor(owning: raw)
    }
}
