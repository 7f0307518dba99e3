/// The request target, RFC 9112 section 3.2: origin-form, absolute-form or `*`.
struct RequestTarget {
    var path = ByteSlice.empty
    var query = ByteSlice.empty
    var hasQuery = false
    var authority = ByteSlice.empty
    var isAbsolute = false
    var isAsterisk = false
    /// The path has a percent sign, an empty segment or a segment that begins with a dot.
    var needsNormalizing = false

    /// Reads the target at `position` and moves to the space behind it.
    @inline(__always)
    static func parse(_ bytes: RawSpan, at position: inout Int) throws(ParseStop) -> RequestTarget {
        var target = RequestTarget()
        switch try Scan.required(bytes, position) {
        case .slash:
            try target.parsePath(bytes, at: &position)
        case 0x2a:
            target.isAsterisk = true
            position += 1
        case .space, .horizontalTab:
            throw .fault(.invalidRequestLine)
        default:
            try target.parseAbsolute(bytes, at: &position)
        }
        let end = try Scan.required(bytes, position)
        guard end == .space else { throw .fault(fault(of: end)) }
        return target
    }

    @inline(__always)
    private mutating func parsePath(_ bytes: RawSpan, at position: inout Int) throws(ParseStop) {
        let start = position
        var index = start
        while true {
            index = Scan.wordEnd(bytes, from: index)
            let byte = try Scan.required(bytes, index)
            switch byte {
            case .slash, .period:
                if index > start, Scan.byte(bytes, index &- 1) == .slash { needsNormalizing = true }
            case .percent:
                needsNormalizing = true
            case .questionMark, .space:
                path = ByteSlice(from: start, to: index)
                position = index
                return byte == .space ? () : try parseQuery(bytes, at: &position)
            default:
                guard ByteSet.path.contains(byte) else { throw .fault(Self.fault(of: byte)) }
            }
            index &+= 1
        }
    }

    @inline(__always)
    private mutating func parseQuery(_ bytes: RawSpan, at position: inout Int) throws(ParseStop) {
        let start = position &+ 1
        var index = Scan.wordEnd(bytes, from: start)
        while ByteSet.query.contains(try Scan.required(bytes, index)) {
            index = Scan.wordEnd(bytes, from: index &+ 1)
        }
        hasQuery = true
        query = ByteSlice(from: start, to: index)
        position = index
    }

    /// `http://authority[/path][?query]`. Where the path is missing, the second slash in front of the authority
    /// serves as the path `/`.
    private mutating func parseAbsolute(_ bytes: RawSpan, at position: inout Int) throws(ParseStop) {
        let schemeEnd = Scan.wordEnd(bytes, from: position)
        let byte = try Scan.required(bytes, schemeEnd)
        let scheme = ByteSlice(from: position, to: schemeEnd)
        guard Scan.matches(bytes, scheme, "http") || Scan.matches(bytes, scheme, "https") else {
            throw .fault(Self.fault(of: byte))
        }
        guard byte == .colon else { throw .fault(Self.fault(of: byte)) }
        try Self.expectSlash(bytes, at: schemeEnd + 1)
        try Self.expectSlash(bytes, at: schemeEnd + 2)
        let start = schemeEnd + 3
        var end = start
        var next = try Scan.required(bytes, end)
        while next != .slash, next != .questionMark, next != .space {
            guard next > 0x20, next < 0x7f else { throw .fault(Self.fault(of: next)) }
            end += 1
            next = try Scan.required(bytes, end)
        }
        isAbsolute = true
        authority = ByteSlice(from: start, to: end)
        position = end
        switch next {
        case .slash:
            return try parsePath(bytes, at: &position)
        case .questionMark:
            try parseQuery(bytes, at: &position)
        default:
            break
        }
        path = ByteSlice(offset: start - 1, count: 1)
    }

    private static func expectSlash(_ bytes: RawSpan, at index: Int) throws(ParseStop) {
        let byte = try Scan.required(bytes, index)
        guard byte == .slash else { throw .fault(fault(of: byte)) }
    }

    private static func fault(of byte: UInt8) -> HTTPFault {
        switch byte {
        case 0: .nulByte
        case .carriageReturn, .lineFeed, .space, .horizontalTab: .invalidRequestLine
        default: .invalidTarget
        }
    }
}
