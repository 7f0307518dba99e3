/// Content-Length and Transfer-Encoding of one head, held to the letter of RFC 9112 section 6: every laxity in
/// this place was somebody's request smuggling.
struct FramingFields {
    private(set) var contentLength: UInt64?
    private(set) var hasTransferEncoding = false
    private var endsInChunked = false
    private var hasOtherCoding = false

    /// Takes one Content-Length line. Lists are refused even when their members agree.
    mutating func addContentLength(_ bytes: RawSpan, _ value: ByteSlice) throws(ParseStop) {
        guard contentLength == nil else { throw .fault(.repeatedContentLength) }
        guard !value.isEmpty else { throw .fault(.invalidContentLength) }
        var length: UInt64 = 0
        for index in value.range {
            let digit = Scan.byte(bytes, index) &- 0x30
            guard digit < 10 else { throw .fault(.invalidContentLength) }
            let (tenfold, overflow) = length.multipliedReportingOverflow(by: 10)
            let sum = tenfold &+ UInt64(digit)
            guard !overflow, sum <= UInt64(Int64.max) else { throw .fault(.contentLengthOverflow) }
            length = sum
        }
        contentLength = length
    }

    /// Takes one Transfer-Encoding line. Empty list elements are refused.
    mutating func addTransferEncoding(_ bytes: RawSpan, _ value: ByteSlice) throws(ParseStop) {
        hasTransferEncoding = true
        guard !value.isEmpty, Scan.byte(bytes, value.end &- 1) != .comma else {
            throw .fault(.invalidTransferEncoding)
        }
        var position = value.start
        while let element = ListElements.next(bytes, at: &position, to: value.end) {
            guard !endsInChunked else { throw .fault(.chunkedNotLast) }
            let name = ByteSlice(from: element.start, to: min(Scan.tokenEnd(bytes, from: element.start), element.end))
            guard !name.isEmpty else { throw .fault(.invalidTransferEncoding) }
            if name == element, Scan.matches(bytes, name, "chunked") {
                endsInChunked = true
            } else {
                guard name == element || hasParameters(bytes, element, behind: name) else {
                    throw .fault(.invalidTransferEncoding)
                }
                hasOtherCoding = true
            }
        }
    }

    private func hasParameters(_ bytes: RawSpan, _ element: ByteSlice, behind name: ByteSlice) -> Bool {
        let next = Scan.skipWhitespace(bytes, from: name.end, to: element.end)
        return next < element.end && Scan.byte(bytes, next) == .semicolon
    }

    /// Whether the body is chunked, after all fields were taken. Nothing but chunked is decoded here.
    func isChunked(version: HTTPVersion) throws(ParseStop) -> Bool {
        guard hasTransferEncoding else { return false }
        guard version == .http11 else { throw .fault(.transferEncodingInHTTP10) }
        guard contentLength == nil else { throw .fault(.contentLengthWithTransferEncoding) }
        guard endsInChunked else { throw .fault(.chunkedNotLast) }
        guard !hasOtherCoding else { throw .fault(.unsupportedTransferCoding) }
        return true
    }
}
