/// Parses response heads, RFC 9112 sections 4 to 6, with the strictness of `RequestParser`: a response that two
/// recipients could frame in two ways is refused, and its connection must be discarded.
package enum ResponseParser {
    /// Parses the head at the start of `message`, the response to a request of `method`.
    ///
    /// On `complete` the first `fieldCount` entries of `fields` and all slices of the head refer to `message`.
    /// `progress` belongs to this one head; a new one starts with a new value.
    package static func parse(
        _ message: UnsafeRawBufferPointer, to method: HTTPMethod, fields: borrowing FieldTable,
        progress: inout ParseProgress
    ) -> HeadParse<ResponseHead> {
        let bytes = UnsafeRawBufferPointer(rebasing: message.prefix(HeadLimits.maximumBytes)).bytes
        guard bytes.byteCount > 0, progress.isWorthwhile(bytes, .standard) else { return .incomplete }
        guard Scan.byte(bytes, 0) == UInt8(ascii: "H") else { return .invalid(.invalidStatusLine) }
        var state = ResponseHeadState()
        do throws(ParseStop) {
            try state.parseStatusLine(bytes)
            try state.parseFields(bytes, into: fields)
            return .complete(try state.finish(method))
        } catch {
            return state.stopped(by: error, bytes, &progress)
        }
    }
}

/// A head while it is being parsed.
private struct ResponseHeadState {
    /// Where the line begins that is being parsed.
    private var lineStart = 0
    private var head = ResponseHead()
    private var framing = FramingFields()
    private var connection = ConnectionOptions()

    /// `HTTP/1.x code reason`. The space in front of an empty reason may be missing, as many servers have it.
    @inline(__always)
    mutating func parseStatusLine(_ bytes: RawSpan) throws(ParseStop) {
        head.traits.version = try ProtocolVersion.parse(bytes, at: 0)
        var index = ProtocolVersion.byteCount
        guard try Scan.required(bytes, index) == .space else { throw .fault(.invalidStatusLine) }
        var status: UInt16 = 0
        for _ in 0..<3 {
            index &+= 1
            let digit = try Scan.required(bytes, index) &- 0x30
            guard digit < 10 else { throw .fault(.invalidStatusCode) }
            status = status &* 10 &+ UInt16(digit)
        }
        guard (100...599).contains(status) else { throw .fault(.invalidStatusCode) }
        head.traits.status = status
        index &+= 1
        let separator = try Scan.required(bytes, index)
        if separator == .space { index &+= 1 }
        let reasonEnd = Scan.valueEnd(bytes, from: index)
        guard separator == .space || reasonEnd == index else { throw .fault(.invalidStatusLine) }
        head.reason = ByteSlice(from: index, to: reasonEnd)
        lineStart = try FieldLine.endOfLine(bytes, at: reasonEnd)
    }

    @inline(__always)
    mutating func parseFields(_ bytes: RawSpan, into fields: borrowing FieldTable) throws(ParseStop) {
        var count = 0
        var field = HeaderField(name: .empty, value: .empty, known: .unknown)
        while try FieldLine.next(bytes, at: &lineStart, into: &field) {
            guard count < HeadLimits.maximumFields else { throw .fault(.tooManyFields) }
            fields[count] = field
            count &+= 1
            switch field.known {
            case .connection: try connection.add(bytes, field.value)
            case .contentLength: try framing.addContentLength(bytes, field.value)
            case .transferEncoding: try framing.addTransferEncoding(bytes, field.value)
            case .date: head.hasDate = true
            case .unknown, .host, .te, .trailer, .upgrade, .http2Settings, .expect, .keepAlive, .proxyConnection,
                .forwardedFor, .forwardedProto, .forwardedHost, .forwarded, .maxForwards, .traceparent, .tracestate,
                .clientCertificateSubject:
                break
            }
        }
        head.fieldCount = count
        head.byteCount = lineStart
    }

    /// Puts the results together; the framing is RFC 9112 section 6.3, with every error in it a fault.
    mutating func finish(_ method: HTTPMethod) throws(ParseStop) -> ResponseHead {
        let isChunked = try framing.isChunked(version: head.traits.version)
        head.contentLength = framing.contentLength
        if method == .head || head.traits.status < 200 || head.traits.status == 204 || head.traits.status == 304 {
            head.traits.framing = .none
        } else if isChunked {
            head.traits.framing = .chunked
        } else if let length = framing.contentLength {
            head.traits.framing = .length(length)
        } else {
            head.traits.framing = .untilClose
        }
        head.traits.isPersistent = connection.isPersistent(version: head.traits.version)
        head.connectionNamesFields = connection.namesFields
        return head
    }

    /// Decides whether the line that stopped the parser is complete.
    func stopped(
        by stop: ParseStop, _ bytes: RawSpan, _ progress: inout ParseProgress
    ) -> HeadParse<ResponseHead> {
        let hasWholeHead = lineStart > 0 && lineStart == head.byteCount
        let hasLine = Scan.lineFeed(bytes, from: lineStart, to: bytes.byteCount) != nil
        if case .fault(let fault) = stop, hasWholeHead || hasLine { return .invalid(fault) }
        guard bytes.byteCount < HeadLimits.maximumBytes else { return .invalid(.headTooLarge) }
        progress.stopped(atLine: lineStart, of: bytes.byteCount, hasStartLine: true)
        return .incomplete
    }
}
