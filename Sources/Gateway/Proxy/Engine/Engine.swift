import Posix

/// Something that an engine has finished.
package enum Completion {
    /// A connection waits to be adopted; whoever takes the completion owns the descriptor.
    case accepted(ListenerID, descriptor: Int32, peer: SocketAddress)
    /// No connection could be taken, with the errno. The listener has stopped accepting.
    case acceptFailed(ListenerID, code: Int32)
    /// All connections that waited on a listener have been taken; sent once, after `finishAccepting`.
    case acceptFinished(ListenerID)
    case connected(Slot)
    case connectFailed(Slot, code: Int32)
    /// The bytes stay valid until the next completion is asked for. `Scratch.headroom` bytes in front of them
    /// and `Scratch.tailroom` bytes behind them may be overwritten.
    case received(Slot, UnsafeMutableRawBufferPointer)
    /// The peer will send no more.
    case receivedEnd(Slot)
    case receiveFailed(Slot, code: Int32)
    /// All bytes that were not with the kernel at once are so now.
    case sent(Slot)
    case sendFailed(Slot, code: Int32)
    /// All bytes of a splice from this slot are with the target's kernel.
    case spliced(Slot)
    /// The peer reset the connection while no receive was under way. Bytes that came earlier may still be read.
    case reset(Slot)
    /// The last completion of a slot: its number may be used again.
    case closed(Slot)
    /// The engine does nothing for the slot's socket any more; `takeDetached` is to follow at once.
    case detached(Slot)
    /// The mailbox's descriptor was signalled.
    case woken
}

package enum SendOutcome {
    /// All bytes are with the kernel, or will be with the end of this turn. What then turns out not to have been
    /// taken is sent later; a failure is told by `sendFailed`.
    case done
    /// The engine keeps what is left; `Completion.sent` or `sendFailed` follows.
    case pending
    case failed(code: Int32)
}

/// Moves bytes for one thread: operations are started by slot, and their completions are taken one by one.
///
/// The interface has the shape of io_uring, so that connection logic is the same on every engine. Memory never
/// changes hands: bytes given to `send` and `unread` may be reused when the call returns.
package protocol Engine: ~Copyable {
    /// - Parameters:
    ///   - capacity: Slots that may be open at once; every slot's index is below it.
    ///   - clients: The slots below it are clients', the others backends'.
    ///   - wake: A descriptor whose readability is reported as `woken`.
    init(capacity: Int, clients: Int, wake: Int32, memory: MemoryLimits) throws(SystemError)

    /// Waits until something can be completed, or until `deadline`.
    mutating func wait(until deadline: Instant, now: Instant) throws(SystemError)

    /// The next completion, nil when the share of work of this turn is done.
    mutating func next() -> Completion?

    /// Begins to accept on a listening socket, which stays the caller's.
    mutating func accept(on listener: ListenerID, descriptor: Int32) throws(SystemError)
    /// Stops accepting for now, leaving connections to wait in the kernel's queue.
    mutating func pauseAccepting(on listener: ListenerID)
    mutating func resumeAccepting(on listener: ListenerID)
    /// Takes the connections that already wait and then reports `acceptFinished`.
    mutating func finishAccepting(on listener: ListenerID)
    /// Forgets the listener. Its descriptor may be closed afterwards.
    mutating func removeListener(_ listener: ListenerID)

    /// Takes over an accepted descriptor, closing it when that fails.
    mutating func adopt(_ descriptor: Int32, as slot: Slot) throws(SystemError)
    mutating func connect(_ slot: Slot, to address: SocketAddress) throws(SystemError)

    /// Asks for one `received`, `receivedEnd` or `receiveFailed`. Bytes that were unread come first and at once.
    /// `limit`: how many bytes it may bring, at most `Scratch.capacity`. It brings less when the worker is short of
    /// memory.
    mutating func receive(_ slot: Slot, limit: Int)
    /// Like `receive`, but completes only when bytes have come that were not seen yet; unread ones are in front.
    /// There must be less than `Scratch.unreadCapacity` of those.
    mutating func receiveMore(_ slot: Slot)
    /// Puts bytes of the last `received` back.
    mutating func unread(_ slot: Slot, _ bytes: UnsafeRawBufferPointer)
    /// Sends all of `bytes`. No other send of the slot may have been `.pending`, unless `sent` came since.
    mutating func send(_ slot: Slot, _ bytes: UnsafeRawBufferPointer) -> SendOutcome
    /// Moves the next `count` bytes of `source` to `target` without looking at them. Nothing of `source` may have been put
    /// back or be being received, and no send of `target` pending. `spliced` follows, or the failure of either side, after
    /// which what is left is lost. False when the next bytes are better received and sent, or have to be.
    mutating func splice(_ source: Slot, to target: Slot, count: UInt64) -> Bool
    /// Bytes that the splice from `source` still has to move, or had when it failed, until `source` is closed; 0 when
    /// there is none.
    func unsplicedBytes(_ source: Slot) -> UInt64
    /// Whether the splice from `source` waits for its target rather than for its source.
    func isSpliceHeldUp(_ source: Slot) -> Bool
    /// Sends a FIN behind everything that was sent.
    mutating func finishSending(_ slot: Slot)
    /// Closes at once. No completion follows but `closed`.
    mutating func close(_ slot: Slot, _ manner: CloseManner)
    /// Closes orderly as soon as everything sent is with the kernel; `close` may cut that short. The FIN goes out with the
    /// last bytes where it can, which spares both sides a packet. No completion follows but `closed`, or `reset`.
    mutating func closeWhenSent(_ slot: Slot)
    /// Lets go of a socket of which nothing is unsent or spliced. No completion follows but `detached`.
    mutating func detach(_ slot: Slot)
    /// The socket of a slot that was detached; the slot's number may be used again.
    mutating func takeDetached(_ slot: Slot) -> DetachedSocket
    /// Somebody else has a descriptor of the slot's socket, too: its end is to be sent nevertheless when it is closed.
    mutating func share(_ slot: Slot)
    /// The kernel's descriptor, for questions only.
    func descriptor(_ slot: Slot) -> Int32
    /// Whether nothing was taken from the kernel that `next` has not told of, or that is not unread.
    var isDrained: Bool { get }
    /// Hands to the kernel at once what was sent to the slot in this turn, so that `unsentBytes` is exact.
    mutating func settle(_ slot: Slot)
    /// Bytes that the kernel did not take yet, as far as known. `sent` follows if there are any.
    func unsentBytes(_ slot: Slot) -> Int
    /// Whether another send may be made although one may be pending.
    func hasRoomToSend(_ slot: Slot) -> Bool
    /// Whether bytes, or the end, of the peer's stream may be waiting to be received.
    func mayHaveInput(_ slot: Slot) -> Bool
    /// Lets go of everything that the kernel does for the engine; the last call, on the thread that waited.
    mutating func stop()
    /// This machine's end of the connection.
    func localAddress(_ slot: Slot) -> SocketAddress?
    /// How many bytes of all that were sent the peer's kernel has acknowledged.
    func acknowledgedBytes(_ slot: Slot) -> UInt64
}

/// A socket that an engine let go of, and that its taker closes.
package struct DetachedSocket: Hashable, Sendable {
    package var descriptor: Int32
    /// Received, and not yet used by anyone.
    package var unread: [UInt8]

    package init(descriptor: Int32, unread: [UInt8]) {
        self.descriptor = descriptor
        self.unread = unread
    }
}

package enum CloseManner {
    /// FIN, or whatever the kernel finds right.
    case orderly
    /// RST: frees everything at once and leaves no TIME_WAIT.
    case reset
}
