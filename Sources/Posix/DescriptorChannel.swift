import CLinux
import Glibc

/// One end of a connection between two processes of a machine, on which datagrams bring descriptors along.
package final class DescriptorChannel: Sendable {
    /// Of one datagram.
    package static let bytes = 128 << 10
    /// Descriptors with one datagram.
    package static let descriptors = Int(CLINUX_PASSED)

    package enum Arrival: Sendable {
        /// The descriptors are the receiver's.
        case datagram([UInt8], [Int32])
        case nothing
        /// The other side is gone.
        case end
    }

    private let descriptor: FileDescriptor

    package init(owning raw: Int32) { descriptor = FileDescriptor(owning: raw) }

    /// Two connected ends, both close-on-exec.
    package static func pair() throws(SystemError) -> (near: DescriptorChannel, far: DescriptorChannel) {
        var ends: [Int32] = [-1, -1]
        let type = Int32(SOCK_SEQPACKET.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, type, 0, &ends) == 0 else { throw SystemError("make a pair of sockets") }
        return (DescriptorChannel(owning: ends[0]), DescriptorChannel(owning: ends[1]))
    }

    package var raw: Int32 { descriptor.raw }

    /// Copies of `descriptors` go along. False when the other side is gone, or took nothing for `limit`.
    package func send(_ bytes: [UInt8], _ descriptors: [Int32] = [], limit: Nanoseconds = .seconds(2)) -> Bool {
        precondition(bytes.count <= Self.bytes && descriptors.count <= Self.descriptors, "a datagram has its limits")
        let deadline = Instant.now() + limit
        while true {
            let count = retryingOnInterrupt {
                clinux_send_passing(descriptor.raw, bytes, bytes.count, descriptors, descriptors.count)
            }
            if count == bytes.count { return true }
            guard count < 0, errno == EAGAIN, wait(for: POLLOUT, until: deadline) else { return false }
        }
    }

    /// What has come until `deadline`.
    package func receive(until deadline: Instant) -> Arrival {
        guard wait(for: POLLIN, until: deadline) else { return .nothing }
        var bytes = [UInt8](repeating: 0, count: Self.bytes)
        var descriptors = [Int32](repeating: -1, count: Self.descriptors)
        var passed = 0
        let count = retryingOnInterrupt {
            clinux_receive_passed(descriptor.raw, &bytes, bytes.count, &descriptors, &passed)
        }
        if count > 0 { return .datagram(Array(bytes[..<count]), Array(descriptors[..<passed])) }
        return count < 0 && errno == EAGAIN ? .nothing : .end
    }

    private func wait(for events: Int32, until deadline: Instant) -> Bool {
        var waiting = pollfd(fd: descriptor.raw, events: Int16(events), revents: 0)
        let left = deadline == .distantFuture ? -1 : (deadline - Instant.now()).milliseconds.rounded(.up)
        return retryingOnInterrupt { poll(&waiting, 1, Int32(clamping: Int(left))) } > 0
    }
}
