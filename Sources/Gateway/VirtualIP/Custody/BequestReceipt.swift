import Posix

/// Puts the parts of a bequest together, and decides for which to ask when.
///
/// A pure core: parts and times in, questions out.
package struct BequestReceipt: Hashable, Sendable {
    /// A question whose answer does not come is asked again.
    package static let retry = Nanoseconds.milliseconds(5)
    /// Of the description of all connections.
    package static let byteLimit = 64 << 20

    package struct Question: Hashable, Sendable {
        package var offset: UInt32
        package var count: UInt32
    }

    private var bytes: [UInt8] = []
    private var isThere: [Bool] = []
    /// Parts before it are all there.
    private var firstMissing = 0
    /// The end of what was last asked for, in parts.
    private var askedEnd = 0
    /// When the next question is due.
    package private(set) var nextDeadline: Instant

    package init(at now: Instant) { nextDeadline = now }

    /// Nil until all parts are there.
    package var whole: [UInt8]? { !isThere.isEmpty && firstMissing == isThere.count ? bytes : nil }

    /// What is to be asked now.
    package mutating func due(at now: Instant) -> Question? {
        guard whole == nil, now >= nextDeadline else { return nil }
        nextDeadline = now + Self.retry
        askedEnd = firstMissing + Int(BequestNote.window)
        return Question(offset: UInt32(firstMissing * BequestNote.partBytes), count: BequestNote.window)
    }

    /// A part that does not fit to the others is none.
    package mutating func take(offset: UInt32, total: UInt32, _ part: [UInt8], at now: Instant) {
        let (offset, total) = (Int(offset), Int(total))
        guard 1...Self.byteLimit ~= total else { return }
        if isThere.isEmpty {
            bytes = [UInt8](repeating: 0, count: total)
            isThere = [Bool](repeating: false, count: (total + BequestNote.partBytes - 1) / BequestNote.partBytes)
        }
        let index = offset / BequestNote.partBytes
        guard total == bytes.count, offset % BequestNote.partBytes == 0, offset < total,
            part.count == min(BequestNote.partBytes, total - offset)
        else { return }
        bytes.replaceSubrange(offset..<offset + part.count, with: part)
        isThere[index] = true
        while firstMissing < isThere.count, isThere[firstMissing] { firstMissing += 1 }
        // The next window can be asked for as soon as this one is there.
        if firstMissing >= askedEnd { nextDeadline = now }
    }
}
