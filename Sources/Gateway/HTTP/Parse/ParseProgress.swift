/// How much of an unfinished head was looked at, so that one sent in drips is not parsed again for every byte.
///
/// A line is judged once its LF is there. Without a new LF nothing can have been decided, so a head is parsed at
/// most once a line, and the outcome does not depend on how the bytes were cut.
package struct ParseProgress: Sendable {
    private var seen = 0
    private var hasStartLine = false

    package init() {}

    /// Whether parsing can come to another result than before.
    mutating func isWorthwhile(_ bytes: RawSpan, _ limits: HeadLimits) -> Bool {
        guard seen > 0, bytes.byteCount < limits.bytes else { return true }
        guard hasStartLine || bytes.byteCount < limits.requestLineBytes else { return true }
        if Scan.lineFeed(bytes, from: min(seen, bytes.byteCount), to: bytes.byteCount) != nil { return true }
        seen = bytes.byteCount
        return false
    }

    /// Records that the lines before `lineStart` are fine and the one there is not complete.
    mutating func stopped(atLine lineStart: Int, of byteCount: Int, hasStartLine: Bool) {
        seen = byteCount
        self.hasStartLine = hasStartLine
    }
}

package enum HeadParse<Head: Sendable>: Sendable {
    /// Call again with more bytes behind the same ones.
    case incomplete
    case complete(Head)
    case invalid(HTTPFault)
}
