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

    private var splices = [Splice?](repeating: nil, count: maximum)
    private var free = Array(1...maximum)
    private var spare: [Pipe] = []

    deinit {
        for pipe in spare { SpliceTable.close(pipe) }
        for case let splice? in splices { SpliceTable.close(splice.pipe) }
    }

    /// Nil when there are too many, or no pipe can be made.
    mutating func begin(from source: UInt32, to target: UInt32, count: UInt64) -> Int? {
        guard !free.isEmpty, let pipe = spare.popLast() ?? SpliceTable.open() else { return nil }
        let number = free.removeLast()
        splices[number - 1] = Splice(source: source, target: target, pipe: pipe, unread: count)
        return number
    }

    subscript(number: Int) -> Splice {
        get { splices[number - 1]! }
        set { splices[number - 1] = newValue }
    }

    /// Forgets a splice. A pipe that still holds bytes is not used again.
    mutating func end(_ number: Int) {
        let splice = self[number]
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
