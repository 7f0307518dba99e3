import CLinux
import Glibc
import Posix

/// A table of nf_tables, and the kernel's answers about it.
struct NftablesTable: ~Copyable {
    private static let answerTimeout = timeval(tv_sec: 0, tv_usec: 100_000)

    private let descriptor: FileDescriptor
    private let name: String
    private let family: NftablesBatch.Family
    private var sequence: UInt32 = 0

    /// Changes nothing yet. Fails where the kernel has no nf_tables.
    init(_ name: String, _ family: NftablesBatch.Family) throws(SystemError) {
        let raw = Glibc.socket(AF_NETLINK, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue), NETLINK_NETFILTER)
        guard raw >= 0 else { throw SystemError("open a netfilter socket") }
        descriptor = FileDescriptor(owning: raw)
        var timeout = Self.answerTimeout
        setsockopt(raw, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        self.name = name
        self.family = family
    }

    /// As long as this lives.
    var socket: Int32 { descriptor.raw }

    /// Has the kernel carry out what `fill` puts into the batch, as a whole or not at all.
    mutating func commit(_ operation: String, _ fill: (inout NftablesBatch) -> Void) throws(SystemError) {
        var batch = NftablesBatch(table: name, family, sequence: sequence)
        fill(&batch)
        let first = batch.firstSequence
        let count = batch.messageCount
        sequence = first &+ UInt32(count)
        let bytes = batch.finished()
        drain()
        let sent = bytes.withUnsafeBytes { bytes in
            retryingOnInterrupt { Glibc.send(descriptor.raw, bytes.baseAddress!, bytes.count, 0) }
        }
        guard sent == bytes.count else { throw SystemError(operation) }
        try expectAcknowledgements(operation, first: first, count: count)
    }

    /// The kernel acknowledges each message of a batch, and a refused one refuses the whole batch.
    private borrowing func expectAcknowledgements(_ operation: String, first: UInt32, count: Int) throws(SystemError) {
        var left = count
        while left > 0 {
            for event in try receive(operation) {
                guard case .acknowledgement(let sequence, let code) = event else { continue }
                // A refusal of the batch as such carries the number of its beginning.
                guard sequence &- (first &- 1) <= UInt32(count) else { continue }
                if code != 0 {
                    drain()
                    throw SystemError(operation, code: code)
                }
                left -= 1
            }
        }
    }

    private borrowing func receive(_ operation: String, flags: Int32 = 0) throws(SystemError) -> [NetlinkEvent] {
        try withUnsafeTemporaryAllocation(byteCount: 32 << 10, alignment: 8) { buffer throws(SystemError) in
            let count = retryingOnInterrupt { recv(descriptor.raw, buffer.baseAddress!, buffer.count, flags) }
            guard count >= 0 else { throw SystemError(operation) }
            return NetlinkEvent.parse(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
    }

    /// Answers to an earlier batch that was given up.
    private borrowing func drain() {
        while (try? receive("drain", flags: Int32(MSG_DONTWAIT))) != nil {}
    }
}
