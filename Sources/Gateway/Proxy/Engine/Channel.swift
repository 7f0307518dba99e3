import CLinux
import Glibc
import Posix

/// What an engine knows of one slot's socket. All zero while the slot is free.
struct Channel: BitwiseCopyable {
    struct Flags: OptionSet, BitwiseCopyable {
        let rawValue: UInt32
        static let open = Flags(rawValue: 1 << 0)
        static let connecting = Flags(rawValue: 1 << 1)
        /// The kernel may have bytes: set by an event, cleared by a short read.
        static let readable = Flags(rawValue: 1 << 2)
        static let writable = Flags(rawValue: 1 << 3)
        /// The peer's FIN has arrived, behind whatever is still unread.
        static let ended = Flags(rawValue: 1 << 4)
        static let errored = Flags(rawValue: 1 << 5)
        static let errorReported = Flags(rawValue: 1 << 6)
        static let wantsReceive = Flags(rawValue: 1 << 7)
        /// The receive is to wait for bytes that were not seen yet.
        static let wantsMore = Flags(rawValue: 1 << 8)
        /// Linked in the ready list.
        static let queued = Flags(rawValue: 1 << 9)
        /// Closed, and its `closed` is still to be reported.
        static let closing = Flags(rawValue: 1 << 10)
        /// FIN is to follow `outbox`.
        static let finishing = Flags(rawValue: 1 << 17)
        /// To be closed as soon as everything sent is with the kernel.
        static let closesWhenSent = Flags(rawValue: 1 << 18)
        /// Let go of, as soon as the kernel does nothing for it any more.
        static let detaching = Flags(rawValue: 1 << 19)

        /// Another process has a descriptor of the socket.
        static let shared = Flags(rawValue: 1 << 20)

        // Of a `RingEngine` only.

        /// The kernel receives into provided buffers, whether the bytes are wanted or not.
        static let armed = Flags(rawValue: 1 << 11)
        /// `armed` is being ended.
        static let disarming = Flags(rawValue: 1 << 12)
        /// Much came at once: received by a system call of its own into one large buffer.
        static let bulky = Flags(rawValue: 1 << 13)
        static let pollsInput = Flags(rawValue: 1 << 14)
        static let pollsOutput = Flags(rawValue: 1 << 15)
        /// The kernel is working on `outbox`.
        static let sending = Flags(rawValue: 1 << 16)
        /// The kernel does something for the socket.
        static let underWay: Flags = [.armed, .disarming, .pollsInput, .pollsOutput, .sending]
    }

    var descriptor: Int32
    /// Counts the closings of this slot.
    var generation: UInt32
    var nextReady: UInt32
    var flags: Flags
    /// Of the receive that is wanted.
    var receiveLimit: UInt32
    /// The splice that the slot takes part in, 0 for none.
    var splice: UInt32
    /// Bytes that the kernel did not take yet; not empty while a send is pending.
    var outbox: HeldBytes
    var unread: HeldBytes
    /// What is to be sent after `outbox`.
    var backlog: HeldBytes
    /// The last batch with a send of this slot, and its place there.
    var batch: UInt32
    var batchPlace: UInt32
    /// Why sending failed; 0 if it did not, or that was told.
    var sendError: Int32

    // Of a `RingEngine` only.

    /// The same of receiving.
    var receiveError: Int32

    /// The slot is free. `outbox` and `backlog` are empty.
    mutating func detach(_ pool: inout BufferPool) -> DetachedSocket {
        let detached = DetachedSocket(descriptor: descriptor, unread: Array(unread.bytes))
        pool.giveBack(&unread)
        (sendError, receiveError) = (0, 0)
        flags = []
        generation &+= 1
        return detached
    }

    /// What has to be done first where a close alone does not end the connection.
    @inline(__always)
    func endShared(_ manner: CloseManner) {
        guard flags.contains(.shared) else { return }
        switch manner {
        case .orderly: shutdown(descriptor, Int32(SHUT_RDWR))
        case .reset: Socket.abort(descriptor)
        }
    }

    @inline(__always)
    mutating func note(_ readiness: Readiness) {
        // The set operations of `Readiness` are calls into another module, several for each event.
        let events = readiness.rawValue
        if events & EPOLLIN.rawValue != 0 { flags.insert(.readable) }
        if events & EPOLLOUT.rawValue != 0 { flags.insert(.writable) }
        if events & EPOLLRDHUP.rawValue != 0 { flags.formUnion([.readable, .ended]) }
        if events & EPOLLHUP.rawValue != 0 { flags.formUnion([.readable, .writable, .ended]) }
        if events & EPOLLERR.rawValue != 0 { flags.formUnion([.readable, .writable, .errored]) }
    }

    /// Whether a receive that was asked for can go on without a further event.
    @inline(__always)
    var canReceive: Bool {
        guard flags.contains(.wantsReceive) else { return false }
        return flags.contains(.readable) || (!unread.isEmpty && !flags.contains(.wantsMore))
    }

    @inline(__always)
    var hasWork: Bool {
        if canReceive { return true }
        if !outbox.isEmpty && flags.contains(.writable) { return true }
        return flags.isSuperset(of: [.errored]) && flags.isDisjoint(with: [.errorReported, .wantsReceive])
    }
}
