import CLinux
import Glibc
import Posix

/// One end of the connection between a gateway and its guard: datagrams in order, and an end when the other side dies.
package final class GuardChannel: Sendable {
    private let descriptor: FileDescriptor

    package init(owning raw: Int32) { descriptor = FileDescriptor(owning: raw) }

    /// Two connected ends, both close-on-exec.
    package static func pair() throws(SystemError) -> (gateway: Int32, guard: Int32) {
        var ends: [Int32] = [-1, -1]
        let type = Int32(SOCK_SEQPACKET.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, type, 0, &ends) == 0 else { throw SystemError("make a pair of sockets") }
        return (ends[0], ends[1])
    }

    package var raw: Int32 { descriptor.raw }

    /// Passes copies of `descriptors` along, at most `CLINUX_PASSED`. False when the other side is gone or does not read;
    /// never waits.
    package func send(_ bytes: [UInt8], passing descriptors: [Int32] = []) -> Bool {
        retryingOnInterrupt {
            clinux_send_passing(descriptor.raw, bytes, bytes.count, descriptors, descriptors.count)
        } == bytes.count
    }

    package enum Arrival {
        /// With the descriptors that were passed along, which are the receiver's now.
        case datagram([UInt8], [Int32])
        case nothing
        case end
    }

    package func receive() -> Arrival {
        withUnsafeTemporaryAllocation(byteCount: GuardOrder.Limit.bytes, alignment: 8) { buffer in
            var passed = [Int32](repeating: -1, count: Int(CLINUX_PASSED))
            var passedCount = 0
            let count = retryingOnInterrupt {
                clinux_receive_passed(descriptor.raw, buffer.baseAddress!, buffer.count, &passed, &passedCount)
            }
            if count > 0 { return .datagram(Array(buffer[..<count]), Array(passed[..<passedCount])) }
            return count < 0 && errno == EAGAIN ? .nothing : .end
        }
    }
}
