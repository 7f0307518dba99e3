/// A run of bytes inside a message head, counted from the head's first byte.
///
/// Sixteen bits suffice: a head is never longer than `HeadLimits.maximumBytes`.
package struct ByteSlice: Hashable, Sendable {
    package var offset: UInt16
    package var count: UInt16

    package init(offset: Int, count: Int) {
        self.offset = UInt16(offset)
        self.count = UInt16(count)
    }

    /// From `start` up to, not including, `end`.
    init(from start: Int, to end: Int) { self.init(offset: start, count: end - start) }

    package static let empty = ByteSlice(offset: 0, count: 0)

    package var isEmpty: Bool { count == 0 }
    package var start: Int { Int(offset) }
    package var end: Int { Int(offset) + Int(count) }
    package var range: Range<Int> { start..<end }
}
