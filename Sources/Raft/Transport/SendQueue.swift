import CLinux
import Glibc
import Posix

/// Bytes on their way into one socket. Bounded: what does not fit is dropped, for Raft sends again what still matters
/// by then.
struct SendQueue {
    private var bytes: [UInt8] = []
    private var start = 0
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    var isEmpty: Bool { start == bytes.count }

    func hasRoom(for count: Int) -> Bool { bytes.count - start + count <= limit }

    mutating func append(_ more: some Collection<UInt8>) { bytes.append(contentsOf: more) }

    /// Sends what the socket takes now.
    mutating func flush(into descriptor: Int32) throws(SystemError) {
        while start < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                retryingOnInterrupt {
                    Glibc.send(descriptor, buffer.baseAddress! + start, buffer.count - start, Int32(MSG_NOSIGNAL))
                }
            }
            if count < 0 {
                if errno == EAGAIN { break }
                throw SystemError("send")
            }
            start += count
        }
        if start == bytes.count {
            bytes.removeAll(keepingCapacity: bytes.capacity <= Self.keptCapacity)
            start = 0
        } else if start > bytes.count / 2 {
            bytes.removeFirst(start)
            start = 0
        }
    }

    private static let keptCapacity = 1 << 20
}
