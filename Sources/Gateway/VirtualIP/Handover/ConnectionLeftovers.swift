import CLinux
import Glibc
import Posix

/// What a kernel still has of connections that have ended, while their addresses were elsewhere and clients used the same
/// ports again, or went on at other machines. It would answer such a client with numbers that mean nothing to it, instead
/// of resetting it, and a connection between the same ends can not always be made.
extension ConnectionCensus {
    /// What is known of a connection of which the kernel may have something left.
    package enum Leftover {
        /// It went on elsewhere, and is to be made here: whatever ends here is an earlier state of it.
        case goesOn
        /// It has ended, and its client is asked again and again for its numbers.
        case hasEnded
    }

    /// TCP_FIN_WAIT2 and TCP_TIME_WAIT (include/net/tcp_states.h): all that was to be said was said.
    private static let ended: Set<UInt8> = [5, 6]
    /// TCP_FIN_WAIT1, TCP_LAST_ACK and TCP_CLOSING: the client has not acknowledged the end.
    private static let ending: Set<UInt8> = [4, 9, 11]
    /// A client that can still do something with such an end acknowledges something within this time, as it is asked meanwhile.
    private static let silenceMilliseconds: UInt32 = 500

    fileprivate struct Found {
        var message: inet_diag_msg
        /// Since the client acknowledged something that was sent to it; nil where the kernel does not say.
        var silentMilliseconds: UInt32?
    }

    /// Has the kernel forget the connection between these ends, unless it is open, or has ended and its client still hears of
    /// it from there. A kernel without CONFIG_INET_DIAG_DESTROY keeps it.
    package borrowing func clear(_ flow: ConnectionRecord.Flow, _ leftover: Leftover) throws(SystemError) {
        var request = inet_diag_req_v2()
        request.sdiag_family = UInt8(flow.local.family)
        request.sdiag_protocol = UInt8(IPPROTO_TCP)
        request.idiag_ext = 1 << UInt8(INET_DIAG_INFO - 1)
        request.id = inet_diag_sockid(flow)
        guard let found = try answer(to: request, SOCK_DIAG_BY_FAMILY, flags: NLM_F_REQUEST),
            Self.isLeft(found, leftover)
        else { return }
        // That very one, which its cookie names, and none that took its place meanwhile.
        request.id = found.message.id
        request.sdiag_family = found.message.idiag_family
        _ = try answer(to: request, SOCK_DESTROY, flags: NLM_F_REQUEST | NLM_F_ACK)
    }

    private static func isLeft(_ found: Found, _ leftover: Leftover) -> Bool {
        if ended.contains(found.message.idiag_state) { return true }
        guard ending.contains(found.message.idiag_state) else { return false }
        return switch leftover {
        case .goesOn: true
        case .hasEnded: isGivenUp(found.message) || found.silentMilliseconds.map { $0 > silenceMilliseconds } == true
        }
    }

    /// Nil where the kernel has none, has nothing more to say, or does not do it.
    private borrowing func answer(
        to request: inet_diag_req_v2, _ type: Int32, flags: Int32
    ) throws(SystemError) -> Found? {
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
            guard Int32(buffer.loadUnaligned(as: nlmsghdr.self).nlmsg_type) == SOCK_DIAG_BY_FAMILY else { return nil }
            return Found(UnsafeRawBufferPointer(rebasing: buffer[headerBytes..<count]))
        }
    }
}

extension ConnectionCensus.Found {
    private static let silenceOffset = MemoryLayout<tcp_info>.offset(of: \.tcpi_last_ack_recv)!

    /// Nil for what is cut short.
    fileprivate init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= MemoryLayout<inet_diag_msg>.size else { return nil }
        message = bytes.loadUnaligned(as: inet_diag_msg.self)
        var rest = bytes.dropFirst(netlinkAligned(MemoryLayout<inet_diag_msg>.size))
        while let attribute = rest.read(rtattr.self), attribute.rta_len >= MemoryLayout<rtattr>.size {
            if attribute.rta_type == INET_DIAG_INFO {
                silentMilliseconds = rest.prefix(Int(attribute.rta_len))
                    .dropFirst(MemoryLayout<rtattr>.size + Self.silenceOffset).read(UInt32.self)
            }
            rest = rest.dropFirst(netlinkAligned(Int(attribute.rta_len)))
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
