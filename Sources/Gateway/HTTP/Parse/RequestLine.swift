/// The request line, RFC 9112 section 3: exactly one space between its three parts.
struct RequestLine {
    var method: HTTPMethod
    var methodName: ByteSlice
    var target: RequestTarget
    var version: HTTPVersion

    /// Reads the line at `position` and moves behind it.
    @inline(__always)
    static func parse(_ bytes: RawSpan, at position: inout Int) throws(ParseStop) -> RequestLine {
        let methodEnd = Scan.tokenEnd(bytes, from: position)
        guard try Scan.required(bytes, methodEnd) == .space, methodEnd > position else {
            throw .fault(methodFault(bytes, from: position, to: methodEnd))
        }
        let methodName = ByteSlice(from: position, to: methodEnd)
        let method = classify(bytes, methodName)
        guard method != .connect, method != .trace else { throw .fault(.unsupportedMethod) }
        var index = methodEnd &+ 1
        let target = try RequestTarget.parse(bytes, at: &index)
        guard !target.isAsterisk || method == .options else { throw .fault(.asteriskNotOptions) }
        let version = try ProtocolVersion.parse(bytes, at: index &+ 1)
        index &+= 1 &+ ProtocolVersion.byteCount
        let end = try Scan.required(bytes, index)
        guard end == .carriageReturn || end == .lineFeed else { throw .fault(.invalidRequestLine) }
        position = try FieldLine.endOfLine(bytes, at: index)
        return RequestLine(method: method, methodName: methodName, target: target, version: version)
    }

    private static func methodFault(_ bytes: RawSpan, from start: Int, to end: Int) -> HTTPFault {
        switch Scan.byte(bytes, end) {
        case 0: .nulByte
        case .carriageReturn, .lineFeed: .invalidRequestLine
        default: .invalidMethod
        }
    }

    /// Methods are case-sensitive, RFC 9110 section 9.1.
    @inline(__always)
    private static func classify(_ bytes: RawSpan, _ name: ByteSlice) -> HTTPMethod {
        switch name.count {
        case 3:
            if isExactly(bytes, name, "GET") { return .get }
            return isExactly(bytes, name, "PUT") ? .put : .other
        case 4:
            if isExactly(bytes, name, "POST") { return .post }
            return isExactly(bytes, name, "HEAD") ? .head : .other
        case 5:
            if isExactly(bytes, name, "PATCH") { return .patch }
            return isExactly(bytes, name, "TRACE") ? .trace : .other
        case 6:
            return isExactly(bytes, name, "DELETE") ? .delete : .other
        case 7:
            if isExactly(bytes, name, "OPTIONS") { return .options }
            return isExactly(bytes, name, "CONNECT") ? .connect : .other
        default:
            return .other
        }
    }

    @inline(__always)
    private static func isExactly(_ bytes: RawSpan, _ name: ByteSlice, _ method: StaticString) -> Bool {
        for index in 0..<method.utf8CodeUnitCount
        where Scan.byte(bytes, name.start &+ index) != method.utf8Start[index] {
            return false
        }
        return true
    }
}

/// `HTTP/1.x`, RFC 9112 section 2.3.
enum ProtocolVersion {
    static let byteCount = 8

    /// Reads the version at `index`; it takes `byteCount` bytes.
    @inline(__always)
    static func parse(_ bytes: RawSpan, at index: Int) throws(ParseStop) -> HTTPVersion {
        guard index &+ byteCount <= bytes.byteCount else {
            let hasEnd = Scan.lineFeed(bytes, from: index, to: bytes.byteCount) != nil
            throw hasEnd ? .fault(.invalidVersion) : .incomplete
        }
        let word = Scan.word(bytes, index)
        if word == 0x312e_312f_5054_5448 { return .http11 }
        if word == 0x302e_312f_5054_5448 { return .http10 }
        return try rare(word)
    }

    private static func rare(_ word: UInt64) throws(ParseStop) -> HTTPVersion {
        let major = UInt8(truncatingIfNeeded: word >> 40)
        let minor = UInt8(truncatingIfNeeded: word >> 56)
        guard word & 0x00ff_00ff_ffff_ffff == 0x002e_002f_5054_5448, major &- 0x30 < 10, minor &- 0x30 < 10 else {
            throw .fault(.invalidVersion)
        }
        guard major == 0x31 else { throw .fault(.unsupportedVersion) }
        return .http11
    }
}
