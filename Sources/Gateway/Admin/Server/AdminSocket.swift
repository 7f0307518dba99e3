import Glibc
import Posix
import TLS

/// The socket of an admin connection. With TLS it takes and gives plain text all the same, and fails as a socket does.
final class AdminSocket {
    enum Received {
        case bytes
        /// None is there now.
        case waits
        /// The peer sends no more.
        case ended
        case failed
    }

    /// A record's worth (RFC 8446, section 5.1), so that little is kept of what the peer does not read.
    private static let sendBytes = 16 << 10

    private let socket: FileDescriptor
    private let security: AdminSecurity?
    private let peer: String
    private var session: TLSSession?
    /// Encrypted, and not yet with the kernel.
    private var pending: [UInt8] = []
    /// Who the peer has shown to be; nil before that, and without TLS.
    private(set) var member: MemberName?

    init(_ socket: consuming FileDescriptor, _ security: AdminSecurity?, peer: String, at now: Instant)
        throws(TLSFailure)
    {
        self.socket = socket
        self.security = security
        self.peer = peer
        session = try security?.session(at: now)
    }

    /// Hands over what has come.
    func receive(_ take: (UnsafeRawBufferPointer) -> Void) -> Received {
        while true {
            let step = withUnsafeTemporaryAllocation(byteCount: AdminLimits.receiveBytes, alignment: 1) { buffer in
                let count = retryingOnInterrupt { recv(socket.raw, buffer.baseAddress!, buffer.count, 0) }
                if count < 0 { return errno == EAGAIN || errno == EWOULDBLOCK ? Received?.some(.waits) : .failed }
                if count == 0 { return .ended }
                return decrypt(UnsafeRawBufferPointer(rebasing: buffer[..<count]), take)
            }
            if let step { return step }
        }
    }

    /// Nil when nothing came that the client has said.
    private func decrypt(_ bytes: UnsafeRawBufferPointer, _ take: (UnsafeRawBufferPointer) -> Void) -> Received? {
        guard let session else {
            take(bytes)
            return .bytes
        }
        // Nobody is heard before it is known who it is.
        var plain: [UInt8] = []
        do throws(TLSFailure) { try session.receive(bytes) { plain += $0 } } catch {
            takeOutput(session)
            _ = flush()
            if error == .noTLS, member == nil { answerInPlain() }
            security?.note("\(error)", from: peer)
            return .failed
        }
        takeOutput(session)
        _ = flush()
        if session.state != .handshake, member == nil {
            member = security?.member(session)
            guard member != nil else {
                security?.note("its certificate is for nobody of this cluster", from: peer)
                return .failed
            }
        }
        guard plain.isEmpty else {
            plain.withUnsafeBytes(take)
            return .bytes
        }
        return session.state == .closed ? .ended : nil
    }

    private func answerInPlain() {
        let answer = AdminSecurity.plainAnswer
        _ = Glibc.send(socket.raw, answer, answer.count, Int32(MSG_NOSIGNAL))
        shutdown(socket.raw, Int32(SHUT_WR))
    }

    /// Like `send(2)`: how many bytes were taken, or -1 with errno.
    func send(_ bytes: ArraySlice<UInt8>) -> Int {
        guard let session else { return write(bytes) }
        guard flush() else { return -1 }
        guard session.state != .handshake else {
            errno = EPIPE
            return -1
        }
        let part = Array(bytes.prefix(Self.sendBytes))
        do throws(TLSFailure) { try session.send(part) } catch {
            errno = EPIPE
            return -1
        }
        takeOutput(session)
        _ = flush()
        return part.count
    }

    /// Whether everything that was taken is with the kernel; if not, errno says why.
    func flush() -> Bool {
        while !pending.isEmpty {
            let count = write(pending[...])
            if count < 0 { return false }
            pending.removeFirst(count)
        }
        return true
    }

    func finish() { shutdown(socket.raw, Int32(SHUT_WR)) }

    private func takeOutput(_ session: TLSSession) { session.takeOutput { pending += $0 } }

    private func write(_ bytes: ArraySlice<UInt8>) -> Int {
        bytes.withUnsafeBytes { bytes in
            retryingOnInterrupt { Glibc.send(socket.raw, bytes.baseAddress!, bytes.count, Int32(MSG_NOSIGNAL)) }
        }
    }
}
