import CLinux
import Glibc
import Posix

/// What a kernel still has of connections that have ended, while their addresses were elsewhere and clients used the same
/// ports again. It would answer the client of such a newer connection with numbers that mean nothing to that one, instead
/// of resetting it, and where clients send no time stamps a connection between the same ends can not be made.
extension ConnectionCensus {
    /// TCP_FIN_WAIT2 and TCP_TIME_WAIT (include/net/tcp_states.h): all that was to be said was said.
    private static let ended: Set<UInt8> = [5, 6]
    /// TCP_FIN_WAIT1, TCP_LAST_ACK and TCP_CLOSING: the client has not acknowledged the end.
    private static let ending: Set<UInt8> = [4, 9, 11]

    /// Has the kernel forget the connection between these ends, unless it is open or its end is under way. A kernel without
    /// CONFIG_INET_DIAG_DESTROY keeps it.
    package borrowing func clear(_ flow: ConnectionRecord.Flow) throws(SystemError) {
        var request = inet_diag_req_v2()
        request.sdiag_family = UInt8(flow.local.family)
        request.sdiag_protocol = UInt8(IPPROTO_TCP)
        request.id = inet_diag_sockid(flow)
        guard let found = try answer(to: request, SOCK_DIAG_BY_FAMILY, flags: NLM_F_REQUEST) else { return }
        let isLeft =
            Self.ended.contains(found.idiag_state)
            || Self.ending.contains(found.idiag_state) && Self.isGivenUp(found)
        guard isLeft else { return }
        // That very one, which its cookie names, and none that took its place meanwhile.
        request.id = found.id
        request.sdiag_family = found.idiag_family
        _ = try answer(to: request, SOCK_DESTROY, flags: NLM_F_REQUEST | NLM_F_ACK)
    }

    /// Nil where the kernel has none, has nothing more to say, or does not do it.
    private borrowing func answer(
        to request: inet_diag_req_v2, _ type: Int32, flags: Int32
    ) throws(SystemError) -> inet_diag_msg? {
        var message = NetlinkMessageBuilder(type: type, flags: flags, 1)
        message.append(request)
        let bytes = message.finished()
        guard Glibc.send(descriptor.raw, bytes, bytes.count, 0) == bytes.count else {
            throw SystemError("ask for a connection")
        }
        return try withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 8) { buffer throws(SystemError) in
            let count = retryingOnInterrupt { recv(descriptor.raw, buffer.baseAddress!, buffer.count, 0) }
            let headerBytes = MemoryLayout<nlmsghdr>.size
            guard count >= headerBytes else { throw SystemError("ask for a connection") }
            guard Int32(buffer.loadUnaligned(as: nlmsghdr.self).nlmsg_type) == SOCK_DIAG_BY_FAMILY,
                count >= headerBytes + MemoryLayout<inet_diag_msg>.size
            else { return nil }
            return buffer.loadUnaligned(fromByteOffset: headerBytes, as: inet_diag_msg.self)
        }
    }
}

extension inet_diag_sockid {
    fileprivate init(_ flow: ConnectionRecord.Flow) {
        self.init()
        idiag_sport = flow.local.port.bigEndian
        idiag_dport = flow.peer.port.bigEndian
        withUnsafeMutableBytes(of: &idiag_src) { $0.copyBytes(from: flow.local.ip.networkBytes) }
        withUnsafeMutableBytes(of: &idiag_dst) { $0.copyBytes(from: flow.peer.ip.networkBytes) }
        // INET_DIAG_NOCOOKIE: any.
        idiag_cookie = (.max, .max)
    }
}
