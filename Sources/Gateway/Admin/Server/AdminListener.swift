import Glibc
import Posix

/// The listening socket of an admin server.
final class AdminListener: Sendable {
    /// With the port that the kernel chose if 0 was asked for.
    let endpoint: AdminPlace
    private let socket: FileDescriptor

    /// `inherited`: a socket that listens there already.
    init(
        _ endpoint: AdminPlace, _ rights: AdminSocketRights, inheriting inherited: Int32? = nil
    ) throws(AdminServerError) {
        if let inherited {
            socket = FileDescriptor(owning: inherited)
            self.endpoint = endpoint
            return
        }
        switch endpoint {
        case .unix(let path):
            let rights = UnixSocket.Rights(
                mode: rights.mode, owner: try Self.user(rights.owner), group: try Self.group(rights.group))
            do throws(SystemError) { socket = try UnixSocket.listen(on: path, rights: rights) } catch {
                throw .system(endpoint, error)
            }
            self.endpoint = endpoint
        case .tcp(let place):
            guard let address = place.numericAddress else { throw .noAddress(place) }
            do throws(SystemError) { socket = try Socket.listen(on: address) } catch { throw .system(endpoint, error) }
            self.endpoint = .tcp(HostPort(Socket.localAddress(of: socket.raw) ?? address))
        }
    }

    var descriptor: Int32 { socket.raw }

    /// Takes one waiting connection, nil when there is none; `author` then says who it is from.
    func accept(author: inout String) throws(SystemError) -> FileDescriptor? {
        switch endpoint {
        case .tcp:
            var peer = SocketAddress(ip: IPAddress(v4: 0), port: 0)
            guard let accepted = try Socket.accept(from: socket.raw, peer: &peer) else { return nil }
            author = peer.ip.description
            return accepted
        case .unix:
            guard let accepted = try UnixSocket.accept(from: socket.raw) else { return nil }
            author = Self.name(ofUser: UnixSocket.peerUser(of: accepted.raw))
            return accepted
        }
    }

    /// Nobody finds the way to a socket that is not served any more.
    func remove() {
        switch endpoint {
        case .tcp: break
        case .unix(let path): unlink(path)
        }
    }

    private static func name(ofUser id: UInt32?) -> String {
        guard let id else { return "a user of this machine" }
        guard let entry = getpwuid(id), let name = entry.pointee.pw_name else { return "user \(id)" }
        return "user \(String(cString: name))"
    }

    private static func user(_ name: String?) throws(AdminServerError) -> UInt32? {
        guard let name else { return nil }
        guard let entry = getpwnam(name) else { throw .unknown("user", name) }
        return entry.pointee.pw_uid
    }

    private static func group(_ name: String?) throws(AdminServerError) -> UInt32? {
        guard let name else { return nil }
        guard let entry = getgrnam(name) else { throw .unknown("group", name) }
        return entry.pointee.gr_gid
    }
}
