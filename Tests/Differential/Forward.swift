import Posix

/// Forwards messages for another parser to read: one message a line in, one outcome a line out, bytes in hexadecimal.
///
///     request HEX          ->  refused FAULT | incomplete | forwarded HEX COMPLETE BODY
///     response METHOD HEX  ->  the same
///
/// `COMPLETE` is yes when the body is there to its end; `BODY` is its data, `-` for none.
@main
enum Forward {
    static func main() {
        while let line = readLine() {
            let words = line.split(separator: " ").map(String.init)
            let bytes = Bytes(hexadecimal: words.last ?? "")
            switch words.first {
            case "request": print(forwardRequest(bytes))
            case "response": print(forwardResponse(bytes, to: method(words[1])))
            default: fatalError("neither a request nor a response: \(line)")
            }
        }
    }

    private static func method(_ name: String) -> HTTPMethod {
        HTTPMethod.allCases.first { "\($0)" == name.lowercased() } ?? .other
    }

    private static func forwardRequest(_ bytes: Bytes) -> String {
        let fields = FieldTable()
        var progress = ParseProgress()
        switch RequestParser.parse(bytes.buffer, fields: fields, progress: &progress) {
        case .incomplete: return "incomplete"
        case .invalid(let fault): return "refused \(fault)"
        case .complete(let head):
            let context = ForwardingContext(
                client: IPAddress(v4: 0xc000_0207), scheme: .http,
                backend: SocketAddress(ip: IPAddress(v4: 0x7f00_0001), port: 9000))
            let written = Bytes.written { output in
                RequestHeadWriter.write(
                    head, of: UnsafeRawBufferPointer(bytes.buffer), fields: fields, context: context, into: output)
            }
            return outcome(written, bytes, from: head.byteCount, head.traits.framing, as: head.traits.framing)
        }
    }

    private static func forwardResponse(_ bytes: Bytes, to method: HTTPMethod) -> String {
        let fields = FieldTable()
        var progress = ParseProgress()
        let source = UnsafeRawBufferPointer(bytes.buffer)
        switch ResponseParser.parse(source, to: method, fields: fields, progress: &progress) {
        case .incomplete: return "incomplete"
        case .invalid(let fault): return "refused \(fault)"
        case .complete(let head):
            let framing = head.traits.framing == .untilClose ? .chunked : head.traits.framing
            let terms = ReplyTerms(
                framing: framing, announcesClose: false, clientVersion: .http11,
                date: HTTPDate(WallTime(millisecondsSince1970: 0)))
            let written = Bytes.written { output in
                ResponseHeadWriter.write(head, of: source, fields: fields, terms: terms, into: output)
            }
            return outcome(written, bytes, from: head.byteCount, head.traits.framing, as: framing)
        }
    }

    /// The head and the body, framed anew where it is chunked.
    private static func outcome(
        _ head: [UInt8], _ bytes: Bytes, from start: Int, _ framing: BodyFraming, as outgoing: BodyFraming
    ) -> String {
        let input = UnsafeMutableRawBufferPointer(rebasing: bytes.buffer[start...])
        var decoder = BodyDecoder(framing)
        do throws(HTTPFault) {
            let progress = try decoder.decode(input)
            let data = Array(input[progress.data])
            let isComplete = progress.isComplete || framing == .untilClose
            let message = head + framed(data, outgoing, isComplete)
            return "forwarded \(hexadecimal(message)) \(isComplete ? "yes" : "no") \(hexadecimal(data))"
        } catch {
            return "refused \(error)"
        }
    }

    private static func framed(_ data: [UInt8], _ framing: BodyFraming, _ isComplete: Bool) -> [UInt8] {
        guard framing == .chunked else { return data }
        var result: [UInt8] = []
        if !data.isEmpty {
            let room = UnsafeMutableRawBufferPointer.allocate(
                byteCount: ChunkFraming.maximumSizeBytes, alignment: 1)
            defer { room.deallocate() }
            let start = ChunkFraming.writeSize(data.count, endingAt: room.count, of: room)
            result = room[start...] + data + Array("\(ChunkFraming.dataEnd)".utf8)
        }
        return isComplete ? result + Array("\(ChunkFraming.bodyEnd)".utf8) : result
    }
}

/// Bytes in memory of their own.
private final class Bytes {
    let buffer: UnsafeMutableRawBufferPointer

    init(hexadecimal text: String) {
        let digits = Array(text.utf8)
        buffer = .allocate(byteCount: digits.count / 2, alignment: 1)
        for index in buffer.indices {
            buffer[index] = digits[2 * index].hexadecimalValue! << 4 | digits[2 * index + 1].hexadecimalValue!
        }
    }

    deinit { buffer.deallocate() }

    static func written(_ write: (UnsafeMutableRawBufferPointer) -> Int?) -> [UInt8] {
        let output = UnsafeMutableRawBufferPointer.allocate(byteCount: 3 * HeadLimits.maximumBytes, alignment: 1)
        defer { output.deallocate() }
        guard let count = write(output) else { fatalError("no head grows threefold") }
        return Array(output.prefix(count))
    }
}

private func hexadecimal(_ bytes: [UInt8]) -> String {
    if bytes.isEmpty { return "-" }
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    for byte in bytes { text += [digits[Int(byte >> 4)], digits[Int(byte & 15)]] }
    return String(decoding: text, as: UTF8.self)
}
