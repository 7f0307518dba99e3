/// What the fuzz targets share. They are compiled into one module with `Sources/Gateway/HTTP`; see `run`.
enum Input {
    /// Lends a copy of exactly the size of the input, so that the address sanitizer sees every step beyond it.
    static func withCopy(_ input: UnsafeRawBufferPointer, _ body: (UnsafeMutableRawBufferPointer) -> Void) {
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: input.count, alignment: 1)
        defer { copy.deallocate() }
        copy.copyMemory(from: input)
        body(copy)
    }

    /// Parses as the bytes would come in, cut at places that follow from the input itself.
    static func inPieces<Head>(
        _ message: UnsafeMutableRawBufferPointer,
        _ parse: (UnsafeMutableRawBufferPointer, inout ParseProgress) -> HeadParse<Head>
    ) -> HeadParse<Head> {
        var progress = ParseProgress()
        var cuts = Cuts(message.count)
        var available = 0
        while available < message.count {
            available = min(message.count, available + cuts.next())
            let outcome = parse(UnsafeMutableRawBufferPointer(rebasing: message[..<available]), &progress)
            if case .incomplete = outcome { continue }
            return outcome
        }
        return .incomplete
    }
}

/// Sizes of pieces, a few hundred at most for any input.
struct Cuts {
    private let largest: Int
    private var state: UInt32

    init(_ count: Int) {
        largest = 1 + count / 64
        state = UInt32(truncatingIfNeeded: count) | 1
    }

    mutating func next() -> Int {
        state = state &* 1_664_525 &+ 1_013_904_223
        return 1 + Int(state >> 16) % largest
    }
}

func check(_ holds: Bool, _ failure: @autoclosure () -> String) {
    if !holds { fatalError(failure()) }
}

/// Decodes `bytes` as a body, whole and in pieces.
func checkBody(_ bytes: UnsafeMutableRawBufferPointer, _ framing: BodyFraming) {
    var pieces = DecodedBody()
    Input.withCopy(UnsafeRawBufferPointer(bytes)) { copy in
        var decoder = BodyDecoder(framing)
        var cuts = Cuts(copy.count)
        var start = 0
        while start < copy.count, !pieces.isComplete, pieces.fault == nil {
            let end = min(copy.count, start + cuts.next())
            start += pieces.take(UnsafeMutableRawBufferPointer(rebasing: copy[start..<end]), &decoder)
        }
    }
    var whole = DecodedBody()
    var decoder = BodyDecoder(framing)
    if !bytes.isEmpty { _ = whole.take(bytes, &decoder) }
    check(pieces.fault == whole.fault, "in pieces \(String(describing: pieces.fault)), whole otherwise")
    guard whole.fault == nil else { return }
    check(pieces.data == whole.data, "other data in pieces")
    check(pieces.consumed == whole.consumed, "another end in pieces")
    check(pieces.isComplete == whole.isComplete, "complete or not, in pieces")
}

private struct DecodedBody {
    var data: [UInt8] = []
    var consumed = 0
    var isComplete = false
    var fault: HTTPFault?

    /// Decodes one piece; returns how much of it belonged to the body.
    mutating func take(_ piece: UnsafeMutableRawBufferPointer, _ decoder: inout BodyDecoder) -> Int {
        do throws(HTTPFault) {
            let progress = try decoder.decode(piece)
            data += piece[progress.data]
            consumed += progress.consumed
            isComplete = progress.isComplete
            return progress.consumed
        } catch {
            fault = error
            return 0
        }
    }
}
