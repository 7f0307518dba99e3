import Gateway
import Posix

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

    var description: String { String(decoding: bytes, as: UTF8.self) }

    /// The request head as it goes to the backend; nil if it does not fit.
    func rewritten(_ head: RequestHead, _ context: ForwardingContext) -> String? {
        rewrittenBytes(head, context).map { String(decoding: $0, as: UTF8.self) }
    }

    func rewrittenBytes(_ head: RequestHead, _ context: ForwardingContext) -> [UInt8]? {
        written {
            RequestHeadWriter.write(
                head, of: UnsafeRawBufferPointer(bytes), fields: fields, context: context, into: $0)
        }
    }

    /// The response head as it goes to the client; nil if it does not fit.
    func rewritten(_ head: ResponseHead, _ terms: ReplyTerms) -> String? {
        written {
            ResponseHeadWriter.write(head, of: UnsafeRawBufferPointer(bytes), fields: fields, terms: terms, into: $0)
        }.map { String(decoding: $0, as: UTF8.self) }
    }

    private func written(_ write: (UnsafeMutableRawBufferPointer) -> Int?) -> [UInt8]? {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 3 * HeadLimits.maximumBytes, alignment: 1)
        defer { buffer.deallocate() }
        return write(buffer).map { Array(buffer.prefix($0)) }
    }

    /// Parses as the bytes would come in from a socket, in pieces of random sizes.
    func parseInPieces<Head>(
        _ random: inout SplitMix,
        _ parse: (UnsafeMutableRawBufferPointer, inout ParseProgress) -> HeadParse<Head>
    ) -> HeadParse<Head> {
        var progress = ParseProgress()
        let largest = 1 + random.below(max(1, bytes.count))
        var available = 0
        while available < bytes.count {
            available = min(bytes.count, available + 1 + random.below(largest))
            let outcome = parse(UnsafeMutableRawBufferPointer(rebasing: bytes[..<available]), &progress)
            if case .incomplete = outcome { continue }
            return outcome
        }
        return .incomplete
    }

    /// Decodes a copy of the body in pieces of random sizes.
    func bodyInPieces(framing: BodyFraming, from start: Int, _ random: inout SplitMix) -> Body {
        var decoder = BodyDecoder(framing)
        var body = Body()
        var rest = bytes[start...]
        let largest = 1 + random.below(max(1, rest.count))
        while !rest.isEmpty, !body.isComplete {
            let piece = rest.prefix(1 + random.below(largest))
            let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: piece.count, alignment: 1)
            defer { copy.deallocate() }
            copy.copyBytes(from: piece)
            do throws(HTTPFault) {
                let progress = try decoder.decode(copy)
                body.data += copy[progress.data]
                body.isComplete = progress.isComplete
                rest = rest.dropFirst(progress.consumed)
            } catch {
                body.fault = error
                return body
            }
        }
        body.isComplete = body.isComplete || framing.isEmpty
        body.rest = Array(rest)
        return body
    }
}

extension ForwardingContext {
    static let example = ForwardingContext(
        client: IPAddress("192.0.2.7")!, scheme: .http, backend: SocketAddress("127.0.0.1:9000")!)
}
