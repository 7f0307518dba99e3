import Gateway

/// A message in memory of its own, with a field table to parse it into.
final class Message {
    struct Refused: Error, CustomStringConvertible {
        var fault: HTTPFault?
        var description: String { fault.map { "refused: \($0)" } ?? "incomplete" }
    }

    let bytes: UnsafeMutableRawBufferPointer
    let fields = FieldTable()

    init(_ content: some Collection<UInt8>) {
        bytes = .allocate(byteCount: content.count, alignment: 1)
        bytes.copyBytes(from: content)
    }

    convenience init(_ text: String) { self.init(Array(text.utf8)) }

    deinit { bytes.deallocate() }

    func parseRequest() -> HeadParse<RequestHead> {
        var progress = ParseProgress()
        return RequestParser.parse(bytes, fields: fields, progress: &progress)
    }

    func parseResponse(to method: HTTPMethod) -> HeadParse<ResponseHead> {
        var progress = ParseProgress()
        return ResponseParser.parse(UnsafeRawBufferPointer(bytes), to: method, fields: fields, progress: &progress)
    }

    func requestHead() throws -> RequestHead {
        switch parseRequest() {
        case .complete(let head): return head
        case .incomplete: throw Refused()
        case .invalid(let fault): throw Refused(fault: fault)
        }
    }

    func responseHead(to method: HTTPMethod) throws -> ResponseHead {
        switch parseResponse(to: method) {
        case .complete(let head): return head
        case .incomplete: throw Refused()
        case .invalid(let fault): throw Refused(fault: fault)
        }
    }

    func text(_ slice: ByteSlice) -> String { String(decoding: bytes[slice.range], as: UTF8.self) }

    /// The request head as it goes to the backend; nil if it does not fit.
    func rewritten(_ head: RequestHead, _ context: ForwardingContext) -> String? {
        written {
            RequestHeadWriter.write(
                head, of: UnsafeRawBufferPointer(bytes), fields: fields, context: context, into: $0)
        }
    }

    /// The response head as it goes to the client; nil if it does not fit.
    func rewritten(_ head: ResponseHead, _ terms: ReplyTerms) -> String? {
        written {
            ResponseHeadWriter.write(head, of: UnsafeRawBufferPointer(bytes), fields: fields, terms: terms, into: $0)
        }
    }

    private func written(_ write: (UnsafeMutableRawBufferPointer) -> Int?) -> String? {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 3 * HeadLimits.bytes, alignment: 1)
        defer { buffer.deallocate() }
        return write(buffer).map { String(decoding: buffer.prefix($0), as: UTF8.self) }
    }
}
