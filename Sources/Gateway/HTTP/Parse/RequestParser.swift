/// Parses request heads, RFC 9112 sections 2 to 6, as strictly as a gateway has to: what two recipients could
/// understand in two ways is refused.
package enum RequestParser {
    /// Parses the head at the start of `message`, whose bytes may change: the path is normalised in place.
    ///
    /// On `complete` the first `fieldCount` entries of `fields` and all slices of the head refer to `message`,
    /// and what lies behind `byteCount` bytes is the body or the next request. `progress` belongs to this one
    /// head; a new one starts with a new value.
    package static func parse(
        _ message: UnsafeMutableRawBufferPointer, fields: borrowing FieldTable, progress: inout ParseProgress,
        limits: HeadLimits = .standard
    ) -> HeadParse<RequestHead> {
        let window = UnsafeMutableRawBufferPointer(rebasing: message.prefix(limits.bytes))
        let bytes = UnsafeRawBufferPointer(window).bytes
        guard bytes.byteCount > 0, progress.isWorthwhile(bytes, limits) else { return .incomplete }
        let first = Scan.byte(bytes, 0)
        guard ByteSet.token.contains(first) || first == .carriageReturn else {
            return .invalid(first == .lineFeed ? .bareLineFeed : .invalidMethod)
        }
        var state = RequestHeadState()
        do throws(ParseStop) {
            try state.parseStartLine(bytes, limits)
            try state.parseFields(bytes, into: fields, limits)
            return .complete(try state.finish(window))
        } catch {
            return state.stopped(by: error, bytes, &progress, limits)
        }
    }
}

/// A head while it is being parsed.
private struct RequestHeadState {
    /// Where the line begins that is being parsed.
    private var lineStart = 0
    private var hasStartLine = false
    private var head = RequestHead()
    private var target = RequestTarget()
    private var framing = FramingFields()
    private var connection = ConnectionOptions()
    private var hasHost = false
    private var expectsContinue = false
    private var upgrades = 0
    private var upgradesToHTTP2 = false

    @inline(__always)
    mutating func parseStartLine(_ bytes: RawSpan, _ limits: HeadLimits) throws(ParseStop) {
        var emptyLines = 0
        while emptyLines < HeadLimits.leadingEmptyLines,
            try Scan.required(bytes, lineStart) == .carriageReturn
        {
            lineStart = try FieldLine.endOfLine(bytes, at: lineStart)
            emptyLines += 1
        }
        var position = lineStart
        let line = try RequestLine.parse(bytes, at: &position)
        guard position &- lineStart <= limits.requestLineBytes else { throw .fault(.targetTooLong) }
        lineStart = position
        hasStartLine = true
        target = line.target
        head.methodName = line.methodName
        head.traits.method = line.method
        head.traits.version = line.version
    }

    @inline(__always)
    mutating func parseFields(
        _ bytes: RawSpan, into fields: borrowing FieldTable, _ limits: HeadLimits
    ) throws(ParseStop) {
        var count = 0
        var field = HeaderField(name: .empty, value: .empty, known: .unknown)
        while try FieldLine.next(bytes, at: &lineStart, into: &field) {
            guard count < limits.fields else { throw .fault(.tooManyFields) }
            fields[count] = field
            count &+= 1
            if field.known != .unknown { try take(bytes, field) }
        }
        head.fieldCount = count
        head.byteCount = lineStart
    }

    private mutating func take(_ bytes: RawSpan, _ field: HeaderField) throws(ParseStop) {
        switch field.known {
        case .host:
            guard !hasHost else { throw .fault(.repeatedHost) }
            hasHost = true
            head.host = try Authority.parse(bytes, field.value)
            head.authority = field.value
        case .connection:
            try connection.add(bytes, field.value)
        case .contentLength:
            try framing.addContentLength(bytes, field.value)
        case .transferEncoding:
            try framing.addTransferEncoding(bytes, field.value)
        case .upgrade:
            upgrades += 1
            upgradesToHTTP2 = upgradesToHTTP2 || namesHTTP2(bytes, field.value)
        case .expect:
            guard head.traits.version == .http11 else { break }
            guard ListElements.isToken(bytes, field.value), Scan.matches(bytes, field.value, "100-continue") else {
                throw .fault(.unsupportedExpectation)
            }
            expectsContinue = true
        case .forwarded:
            head.hasForwarded = true
        case .traceparent, .tracestate:
            head.hasTraceFields = true
        case .maxForwards:
            if head.traits.method == .options { try takeMaxForwards(bytes, field.value) }
        case .unknown, .te, .trailer, .http2Settings, .keepAlive, .proxyConnection, .date, .forwardedFor,
            .forwardedProto, .forwardedHost, .clientCertificateSubject:
            break
        }
    }

    /// A greater number than fits is as good as the greatest.
    private mutating func takeMaxForwards(_ bytes: RawSpan, _ value: ByteSlice) throws(ParseStop) {
        guard head.maxForwards == nil, !value.isEmpty else { throw .fault(.invalidMaxForwards) }
        var number: UInt32 = 0
        for index in value.range {
            let digit = Scan.byte(bytes, index) &- 0x30
            guard digit < 10 else { throw .fault(.invalidMaxForwards) }
            number = number > (UInt32.max - 9) / 10 ? .max : number * 10 + UInt32(digit)
        }
        head.maxForwards = number
    }

    /// A tunnel of cleartext HTTP/2 would carry requests past every rule of the gateway.
    private func namesHTTP2(_ bytes: RawSpan, _ value: ByteSlice) -> Bool {
        var position = value.start
        while let element = ListElements.next(bytes, at: &position, to: value.end) {
            let name = ByteSlice(from: element.start, to: min(Scan.tokenEnd(bytes, from: element.start), element.end))
            if Scan.matches(bytes, name, "h2c") || Scan.matches(bytes, name, "h2") { return true }
        }
        return false
    }

    /// Checks what needs the whole head, and puts the results together.
    @inline(__always)
    mutating func finish(_ window: UnsafeMutableRawBufferPointer) throws(ParseStop) -> RequestHead {
        let bytes = UnsafeRawBufferPointer(window).bytes
        guard hasHost || head.traits.version == .http10 else { throw .fault(.missingHost) }
        if target.isAbsolute {
            head.host = try Authority.parse(bytes, target.authority)
            head.authority = target.authority
        }
        if try framing.isChunked(version: head.traits.version) {
            head.traits.framing = .chunked
        } else if let length = framing.contentLength {
            head.traits.framing = .length(length)
        }
        head.traits.isPersistent = connection.isPersistent(version: head.traits.version)
        head.traits.expectsContinue = expectsContinue && !head.traits.framing.isEmpty
        head.traits.wantsUpgrade =
            upgrades == 1 && connection.upgrade && !upgradesToHTTP2 && head.traits.framing == .none
            && head.traits.version == .http11
        head.connectionNamesFields = connection.namesFields
        head.query = target.query
        head.hasQuery = target.hasQuery
        head.isAbsolute = target.isAbsolute
        head.path = try path(window)
        head.isAsterisk = target.isAsterisk || isAbsoluteAsterisk
        return head
    }

    private var isAbsoluteAsterisk: Bool {
        target.isAbsolute && head.traits.method == .options && !target.hasQuery
            && target.path.end == target.authority.start
    }

    /// The path `/` of asterisk-form is borrowed from the `HTTP/1.1` two bytes behind it.
    private func path(_ window: UnsafeMutableRawBufferPointer) throws(ParseStop) -> ByteSlice {
        if target.isAsterisk { return ByteSlice(offset: head.methodName.end + "* HTTP/".utf8.count, count: 1) }
        return target.needsNormalizing ? try PathNormalizer.normalize(window, target.path) : target.path
    }

    /// Decides whether the line that stopped the parser is complete, and which limit it broke if any.
    mutating func stopped(
        by stop: ParseStop, _ bytes: RawSpan, _ progress: inout ParseProgress, _ limits: HeadLimits
    ) -> HeadParse<RequestHead> {
        let lineFeed = Scan.lineFeed(bytes, from: lineStart, to: bytes.byteCount)
        if !hasStartLine, (lineFeed ?? bytes.byteCount) - lineStart >= limits.requestLineBytes {
            return .invalid(.targetTooLong)
        }
        let hasWholeHead = hasStartLine && lineStart == head.byteCount
        if case .fault(let fault) = stop, hasWholeHead || lineFeed != nil { return .invalid(fault) }
        guard bytes.byteCount < limits.bytes else { return .invalid(.headTooLarge) }
        progress.stopped(atLine: lineStart, of: bytes.byteCount, hasStartLine: hasStartLine)
        return .incomplete
    }
}
