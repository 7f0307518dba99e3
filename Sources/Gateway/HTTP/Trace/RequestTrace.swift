/// The number that a request is found again by, and the trace that it belongs to, as they go on to the backend.
package struct RequestTrace {
    package enum Identity: Hashable {
        /// The gateway has nothing to do with request IDs: what came goes on.
        case untouched
        /// The one that came goes on.
        case kept(ByteSlice)
        /// Takes the place of all that came.
        case made(TraceNumber)
    }

    /// W3C Trace Context, https://www.w3.org/TR/trace-context/.
    package enum Context: Hashable {
        /// Neither `traceparent` nor `tracestate` go on.
        case none
        /// Both go on as they came; the slice is the trace's id.
        case passed(ByteSlice)
        /// A new trace, with the request to the backend as its first span.
        case made(trace: TraceNumber, span: UInt64, isSampled: Bool)
    }

    package var identity: Identity
    package var context: Context
    /// Nil when request IDs are untouched.
    var field: RequestIDField?

    /// What came goes on but for trace fields.
    package static var none: RequestTrace { RequestTrace(identity: .untouched, context: .none, field: nil) }

    /// Decides for a request that was parsed into `head` and `fields`.
    /// - Parameter isTrusted: it came from a trusted proxy.
    @inline(__always)
    static func decide(
        _ head: RequestHead, of source: UnsafeRawBufferPointer, _ fields: borrowing FieldTable, _ terms: TracingTerms,
        isTrusted: Bool, _ random: inout TraceRandom
    ) -> RequestTrace {
        let identity = identity(head, source, fields, terms, isTrusted, &random)
        return RequestTrace(
            identity: identity, context: context(head, source, fields, terms, isTrusted, identity, &random),
            field: identity == .untouched ? nil : terms.field)
    }

    @inline(__always)
    private static func identity(
        _ head: RequestHead, _ source: UnsafeRawBufferPointer, _ fields: borrowing FieldTable, _ terms: TracingTerms,
        _ isTrusted: Bool, _ random: inout TraceRandom
    ) -> Identity {
        switch terms.requestID {
        case .off: return .untouched
        case .create where !isTrusted: break
        case .create, .keep:
            if let given = terms.field.given(in: head, source, fields) { return .kept(given) }
        }
        return .made(random.number())
    }

    @inline(__always)
    private static func context(
        _ head: RequestHead, _ source: UnsafeRawBufferPointer, _ fields: borrowing FieldTable, _ terms: TracingTerms,
        _ isTrusted: Bool, _ identity: Identity, _ random: inout TraceRandom
    ) -> Context {
        let believes: Bool
        switch terms.traceparent {
        case .pass, .create: believes = true
        case .restart: believes = isTrusted
        }
        if believes, head.hasTraceFields, let trace = TraceParent.find(head, source, fields) { return .passed(trace) }
        switch terms.traceparent {
        case .pass: return .none
        case .create, .restart:
            var number = TraceNumber(high: 0, low: 0)
            // One number finds the request in all logs.
            if case .made(let made) = identity { number = made } else { number = random.number() }
            return .made(trace: number, span: random.span(), isSampled: random.draws(percent: terms.sampledPercent))
        }
    }

    @inline(__always)
    var passesContext: Bool {
        switch context {
        case .passed: true
        case .none, .made: false
        }
    }

    /// Whether a field that came makes room for what is written here.
    @inline(__always)
    func replaces(_ other: HeaderField, of source: UnsafeRawBufferPointer) -> Bool {
        guard case .made = identity, let field else { return false }
        return field.matches(source, other.name)
    }

    /// Writes the fields of what was made here.
    @inline(__always)
    func write(to output: inout HeadOutput) {
        if case .made(let number) = identity, let field {
            output.write(field.line)
            output.write(number)
            output.write("\r\n")
        }
        if case .made(let trace, let span, let isSampled) = context {
            output.write("traceparent: 00-")
            output.write(trace)
            output.write(UInt8(ascii: "-"))
            output.write(hexadecimal: span)
            output.write(isSampled ? "-01\r\n" : "-00\r\n")
        }
    }
}

/// 128 bits, never all zero, that are written as 32 hexadecimal digits.
package struct TraceNumber: Hashable, Sendable {
    package var high: UInt64
    package var low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
}

/// Where a worker's numbers come from. Two generators, so that a number has 128 random bits; they are unique, not secret.
struct TraceRandom {
    private var high: RandomSource
    private var low: RandomSource

    init(highSeed: UInt64, lowSeed: UInt64) {
        high = RandomSource(seed: highSeed)
        low = RandomSource(seed: lowSeed)
    }

    @inline(__always)
    mutating func number() -> TraceNumber {
        let high = high.next()
        let low = low.next()
        return TraceNumber(high: high, low: high | low == 0 ? 1 : low)
    }

    /// Never zero.
    @inline(__always)
    mutating func span() -> UInt64 {
        let span = low.next()
        return span == 0 ? 1 : span
    }

    @inline(__always)
    mutating func draws(percent: UInt32) -> Bool { percent >= 100 || high.below(100) < percent }
}
