import CLinux
import Glibc
import Posix
import Raft

/// Hears the guards of the other nodes, on a thread of its own: UDP on the port on which Raft listens for TCP.
package final class NoticeListener: Sendable {
    package enum Arrival: Sendable {
        /// With its sender, to which what concerns it can be said.
        case notice(ReleaseNotice, from: Correspondent)
        case bequest(BequestNote)
    }

    /// A guard that can be answered, from the port on which it was heard.
    package final class Correspondent: Sendable {
        private let socket: Bound
        private let address: SocketAddress

        fileprivate init(_ socket: Bound, _ address: SocketAddress) {
            self.socket = socket
            self.address = address
        }

        /// What can not be sent is lost.
        package func send(_ bytes: [UInt8]) {
            _ = address.withSockaddr {
                sendto(socket.descriptor.raw, bytes, bytes.count, Int32(MSG_NOSIGNAL), $0, $1)
            }
        }
    }

    fileprivate final class Bound: Sendable {
        let descriptor: FileDescriptor
        init(_ descriptor: consuming FileDescriptor) { self.descriptor = descriptor }
    }

    /// Of the socket, while the listener is there; another process may go on with a copy of it.
    package let descriptor: Int32
    private let stopping: Stopping
    private let thread: Thread

    private final class Stopping: Sendable {
        let event: WakeEvent
        init() throws(SystemError) { event = try WakeEvent() }
    }

    /// `key` finds what a node signs with; `deliver` gets all that is true, on the listener's thread. `inherited`: a socket
    /// that is bound to the address already.
    package init(
        on address: SocketAddress, inheriting inherited: Int32? = nil, key: @escaping @Sendable (NodeID) -> NoticeKey?,
        deliver: @escaping @Sendable (Arrival) -> Void
    ) throws(SystemError) {
        let bound = Bound(try Self.socket(on: address, inheriting: inherited))
        descriptor = bound.descriptor.raw
        let stopping = try Stopping()
        self.stopping = stopping
        thread = try Thread(name: "notices", stackBytes: 256 << 10) {
            while Self.wait(bound.descriptor.raw, stopping.event.raw) {
                while let (bytes, sender) = Datagram.receive(bound.descriptor.raw) {
                    if let notice = ReleaseNotice(bytes, key: key) {
                        deliver(.notice(notice, from: Correspondent(bound, sender)))
                    } else if let note = BequestNote(bytes, key: key) {
                        deliver(.bequest(note))
                    }
                }
            }
        }
    }

    private static func socket(
        on address: SocketAddress, inheriting inherited: Int32?
    ) throws(SystemError) -> FileDescriptor {
        if let inherited { return FileDescriptor(owning: inherited) }
        let type = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let raw = Glibc.socket(address.family, type, 0)
        guard raw >= 0 else { throw SystemError("open a UDP socket") }
        let descriptor = FileDescriptor(owning: raw)
        guard address.withSockaddr({ bind(raw, $0, $1) }) == 0 else {
            throw SystemError("bind UDP", address.description)
        }
        return descriptor
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
}
