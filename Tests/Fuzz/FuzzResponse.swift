import Posix

/// A response: the first byte picks the method it answers. Parsed whole and in pieces, forwarded, parsed again.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzzResponse(_ data: UnsafePointer<UInt8>, _ size: Int) -> Int32 {
    guard size > 0 else { return 0 }
    let method = HTTPMethod.allCases[Int(data[0]) % HTTPMethod.allCases.count]
    let input = UnsafeRawBufferPointer(start: data + 1, count: size - 1)
    Input.withCopy(input) { whole in
        let fields = FieldTable()
        var progress = ParseProgress()
        let source = UnsafeRawBufferPointer(whole)
        let outcome = ResponseParser.parse(source, to: method, fields: fields, progress: &progress)
        Input.withCopy(input) { pieces in
            let other = FieldTable()
            let again = Input.inPieces(pieces) {
                ResponseParser.parse(UnsafeRawBufferPointer($0), to: method, fields: other, progress: &$1)
            }
            check("\(again)" == "\(outcome)", "in pieces \(again), whole \(outcome)")
        }
        guard case .complete(let head) = outcome else { return }
        checkForwarded(head, method, source, fields)
        checkBody(UnsafeMutableRawBufferPointer(rebasing: whole[head.byteCount...]), head.traits.framing)
    }
    return 0
}

private func checkForwarded(
    _ head: ResponseHead, _ method: HTTPMethod, _ source: UnsafeRawBufferPointer, _ fields: borrowing FieldTable
) {
    let framing = head.traits.framing == .untilClose ? .chunked : head.traits.framing
    let terms = ReplyTerms(
        framing: framing, announcesClose: false, clientVersion: .http11,
        date: HTTPDate(WallTime(millisecondsSince1970: 0)))
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 3 * HeadLimits.maximumBytes, alignment: 1)
    defer { buffer.deallocate() }
    let written = ResponseHeadWriter.write(head, of: source, fields: fields, terms: terms, into: buffer)
    guard let written else { fatalError("no head grows threefold") }
    let forwarded = UnsafeRawBufferPointer(rebasing: buffer[..<written])
    var progress = ParseProgress()
    switch ResponseParser.parse(forwarded, to: method, fields: fields, progress: &progress) {
    case .complete(let again):
        check(again.byteCount == written, "a part of the forwarded head is left")
        check(again.traits.status == head.traits.status, "another status")
        check(again.traits.framing == framing, "another framing: \(again.traits.framing), not \(framing)")
    case .invalid(.headTooLarge), .invalid(.tooManyFields):
        break
    case .invalid(let fault):
        fatalError("forwarded a head with a fault: \(fault)")
    case .incomplete:
        fatalError("forwarded an incomplete head")
    }
}
