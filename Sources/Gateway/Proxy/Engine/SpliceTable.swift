import CLinux
import Glibc

/// A transfer from one socket to another through a pipe, whose bytes never enter this process.
struct Splice {
    let source: UInt32
    let target: UInt32
    fileprivate(set) var pipe: Pipe
    /// Bytes still to be taken from the source.
    var unread: UInt64
    /// Bytes in the pipe.
    var held = 0

    var remaining: UInt64 { unread + UInt64(held) }

    /// What the splice needs to go on.
    var awaitsSource: Bool { unread > 0 && held < pipe.capacity }
    var awaitsTarget: Bool { held > 0 }

    /// From the socket into the pipe.
    fileprivate mutating func fill(_ channel: UnsafeMutablePointer<Channel>) -> Completion? {
        guard awaitsSource, channel.pointee.flags.contains(.readable) else { return nil }
        let wanted = Int(min(unread, UInt64(pipe.capacity - held)))
        let count = clinux_splice(channel.pointee.descriptor, pipe.writeEnd, wanted)
        if count > 0 {
            unread -= UInt64(count)
            held += count
            return nil
        }
        // The last bytes before a loss are still delivered.
        if held > 0 { return nil }
        if count == 0 { return .receivedEnd(Slot(source)) }
        switch errno {
        case EAGAIN:
            channel.pointee.flags.remove(.readable)
            return nil
        case EINTR: return nil
        default:
            channel.pointee.flags.insert(.errorReported)
            return .receiveFailed(Slot(source), code: errno)
        }
    }

    /// From the pipe into the other socket.
    fileprivate mutating func drain(_ channel: UnsafeMutablePointer<Channel>) -> Completion? {
        guard awaitsTarget, channel.pointee.flags.contains(.writable) else { return nil }
        let count = clinux_splice(pipe.readEnd, channel.pointee.descriptor, held)
        if count > 0 {
            held -= count
            return nil
        }
        switch errno {
        case EAGAIN:
            channel.pointee.flags.remove(.writable)
            return nil
        case EINTR: return nil
        default: return .sendFailed(Slot(target), code: errno)
        }
    }
}

enum SpliceProgress {
    /// It is over. The table has forgotten it if it was completed.
    case ended(Completion)
    /// It has had its share of this turn.
    case moving
    /// One of the sockets is not ready.
    case waiting
}

/// Both ends of a pipe.
struct Pipe {
    let readEnd: Int32
    let writeEnd: Int32
    let capacity: Int
}

/// The splices under way of one engine, numbered from 1, and spare pipes for the next ones.
struct SpliceTable: ~Copyable {
    /// At most; their pipes can hold 32 MB of kernel memory.
    private static let maximum = 128
    private static let spareMaximum = 16
    private static let pipeCapacity = 256 << 10
    /// Bytes that one splice moves before others have their turn.
    private static let share = 1 << 20

    private var splices = [Splice?](repeating: nil, count: maximum)
    private var free = Array(1...maximum)
    private var spare: [Pipe] = []

    deinit {
        for pipe in spare { SpliceTable.close(pipe) }
        for case let splice? in splices { SpliceTable.close(splice.pipe) }
    }

    /// False when there are too many, or no pipe can be made.
    mutating func begin(
        from source: UInt32, to target: UInt32, count: UInt64, _ channels: UnsafeMutablePointer<Channel>
    ) -> Bool {
        guard !free.isEmpty, let pipe = spare.popLast() ?? SpliceTable.open() else { return false }
        let number = free.removeLast()
        splices[number - 1] = Splice(source: source, target: target, pipe: pipe, unread: count)
        channels[Int(source)].splice = UInt32(number)
        channels[Int(target)].splice = UInt32(number)
        return true
    }

    /// Bytes that the splice of a source still has to move, 0 when there is none.
    func remaining(from source: Channel) -> UInt64 {
        source.splice == 0 ? 0 : splices[Int(source.splice) - 1]!.remaining
    }

    func isHeldUp(_ source: Channel) -> Bool {
        source.splice != 0 && splices[Int(source.splice) - 1]!.awaitsTarget
    }

    /// Moves what can be moved without waiting.
    mutating func advance(_ number: Int, _ channels: UnsafeMutablePointer<Channel>) -> SpliceProgress {
        var splice = self[number]
        let (source, target) = (channels + Int(splice.source), channels + Int(splice.target))
        var share = SpliceTable.share
        var completion: Completion?
        var moves = true
        while completion == nil, share > 0, moves {
            let (before, heldBefore) = (splice.remaining, splice.held)
            completion = splice.fill(source) ?? splice.drain(target)
            if completion == nil && splice.remaining == 0 { completion = .spliced(Slot(splice.source)) }
            moves = splice.remaining != before || splice.held != heldBefore
            share -= Int(before - splice.remaining)
        }
        self[number] = splice
        switch completion {
        case nil: return moves ? .moving : .waiting
        case .spliced(let source):
            end(number, channels)
            return .ended(.spliced(source))
        // One that failed ends with its source, so that it can be asked how far it came.
        case .some(let failure): return .ended(failure)
        }
    }

    subscript(number: Int) -> Splice {
        get { splices[number - 1]! }
        set { splices[number - 1] = newValue }
    }

    /// Forgets a splice. A pipe that still holds bytes is not used again.
    mutating func end(_ number: Int, _ channels: UnsafeMutablePointer<Channel>) {
        let splice = self[number]
        channels[Int(splice.source)].splice = 0
        channels[Int(splice.target)].splice = 0
        splices[number - 1] = nil
        free.append(number)
        if splice.held == 0 && spare.count < SpliceTable.spareMaximum {
            spare.append(splice.pipe)
        } else {
            SpliceTable.close(splice.pipe)
        }
    }

    private static func open() -> Pipe? {
        var ends: [Int32] = [-1, -1]
        guard clinux_pipe(&ends) == 0 else { return nil }
        // The kernel may grant less to an unprivileged process that has many.
        let capacity = clinux_set_pipe_capacity(ends[1], Int32(pipeCapacity))
        return Pipe(readEnd: ends[0], writeEnd: ends[1], capacity: capacity > 0 ? Int(capacity) : 64 << 10)
    }

    private static func close(_ pipe: Pipe) {
        _ = Glibc.close(pipe.readEnd)
        _ = Glibc.close(pipe.writeEnd)
    }
}
