/// A host with an optional port, RFC 3986 section 3.2. User information is refused, RFC 9110 section 4.2.4.
enum Authority {
    private static let maximumPortDigits = 5

    /// Checks `slice` as a whole; returns its host, brackets included.
    static func parse(_ bytes: RawSpan, _ slice: ByteSlice) throws(ParseStop) -> ByteSlice {
        guard !slice.isEmpty else { throw .fault(.invalidHost) }
        let hostEnd =
            Scan.byte(bytes, slice.start) == 0x5b
            ? try addressEnd(bytes, slice) : nameEnd(bytes, slice)
        guard hostEnd > slice.start else { throw .fault(.invalidHost) }
        if hostEnd < slice.end { try checkPort(bytes, from: hostEnd, to: slice.end) }
        return ByteSlice(from: slice.start, to: hostEnd)
    }

    private static func nameEnd(_ bytes: RawSpan, _ slice: ByteSlice) -> Int {
        var index = Scan.wordEnd(bytes, from: slice.start)
        while index < slice.end, ByteSet.registeredName.contains(Scan.byte(bytes, index)) {
            index = Scan.wordEnd(bytes, from: index + 1)
        }
        return min(index, slice.end)
    }

    /// Behind the closing bracket of an IPv6 literal. The address itself is compared as text, never used.
    private static func addressEnd(_ bytes: RawSpan, _ slice: ByteSlice) throws(ParseStop) -> Int {
        var index = slice.start + 1
        while index < slice.end, ByteSet.ipv6.contains(Scan.byte(bytes, index)) { index += 1 }
        guard index < slice.end, Scan.byte(bytes, index) == 0x5d, index > slice.start + 2 else {
            throw .fault(.invalidHost)
        }
        return index + 1
    }

    /// A colon and a number up to 65535; RFC 3986 allows the number to be missing.
    private static func checkPort(_ bytes: RawSpan, from start: Int, to end: Int) throws(ParseStop) {
        guard Scan.byte(bytes, start) == .colon, end - start - 1 <= maximumPortDigits else {
            throw .fault(.invalidHost)
        }
        var port: UInt32 = 0
        for index in start + 1..<end {
            let digit = Scan.byte(bytes, index) &- 0x30
            guard digit < 10 else { throw .fault(.invalidHost) }
            port = port * 10 + UInt32(digit)
        }
        guard port <= UInt16.max else { throw .fault(.invalidHost) }
    }
}
