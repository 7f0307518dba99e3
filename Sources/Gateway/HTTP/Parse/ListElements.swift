/// The elements of a comma-separated list of tokens, RFC 9110 section 5.6.1.
enum ListElements {
    /// Moves `position` behind the next element and its comma. Nil at `end`. Empty elements come out as empty slices.
    static func next(_ bytes: RawSpan, at position: inout Int, to end: Int) -> ByteSlice? {
        guard position < end else { return nil }
        let start = Scan.skipWhitespace(bytes, from: position, to: end)
        var stop = start
        while stop < end, Scan.byte(bytes, stop) != .comma { stop &+= 1 }
        position = stop &+ 1
        return ByteSlice(from: start, to: Scan.trimWhitespace(bytes, from: start, to: stop))
    }

    static func isToken(_ bytes: RawSpan, _ slice: ByteSlice) -> Bool {
        !slice.isEmpty && Scan.tokenEnd(bytes, from: slice.start) >= slice.end
    }
}
