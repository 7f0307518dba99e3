import CLinux
import Glibc
import Posix
import Raft

/// Hears the guards of the other nodes, on a thread of its own: UDP on the port on which Raft listens for TCP.
package final class NoticeListener: Sendable {
    private let stopping: Stopping
    private let thread: Thread

    private final class Stopping: Sendable {
        let event: WakeEvent
        init() throws(SystemError) { event = try WakeEvent() }
    }

    /// `key` finds what a node signs with; `deliver` gets every true notice, on the listener's thread.
    package init(
        on address: SocketAddress, key: @escaping @Sendable (NodeID) -> NoticeKey?,
        deliver: @escaping @Sendable (ReleaseNotice) -> Void
    ) throws(SystemError) {
        let type = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let raw = socket(address.family, type, 0)
        guard raw >= 0 else { throw SystemError("open a UDP socket") }
        let descriptor = FileDescriptor(owning: raw)
        guard address.withSockaddr({ bind(raw, $0, $1) }) == 0 else {
            throw SystemError("bind UDP", address.description)
        }
        let stopping = try Stopping()
        self.stopping = stopping
        let taken = descriptor.take()
        thread = try Thread(name: "notices", stackBytes: 256 << 10) {
            let descriptor = FileDescriptor(owning: taken)
            while Self.wait(descriptor.raw, stopping.event.raw) {
                for notice in Self.receive(descriptor.raw, key) { deliver(notice) }
            }
        }
    }

    /// Ends the thread.
    package func stop() {
        stopping.event.signal()
        thread.join()
    }

    /// False when the listener is to stop.
    private static func wait(_ socket: Int32, _ stop: Int32) -> Bool {
        var polls = [socket, stop].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        _ = poll(&polls, nfds_t(polls.count), -1)
        return polls[1].revents == 0
    }

    private static func receive(_ socket: Int32, _ key: (NodeID) -> NoticeKey?) -> [ReleaseNotice] {
        var notices: [ReleaseNotice] = []
        // One byte more than a notice has, so that longer datagrams are told apart.
        var buffer = [UInt8](repeating: 0, count: ReleaseNotice.byteCount + 1)
        while true {
            let count = retryingOnInterrupt { recv(socket, &buffer, buffer.count, 0) }
            guard count >= 0 else { return notices }
            if let notice = ReleaseNotice(Array(buffer[..<count]), key: key) { notices.append(notice) }
        }
    }
}
