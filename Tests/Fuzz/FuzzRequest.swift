import Posix

/// A request: parsed whole and in pieces with the same outcome, forwarded, and what is forwarded parsed again.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzzRequest(_ data: UnsafePointer<UInt8>, _ size: Int) -> Int32 {
    let input = UnsafeRawBufferPointer(start: data, count: size)
    Input.withCopy(input) { whole in
        let fields = FieldTable()
        var progress = ParseProgress()
        let outcome = RequestParser.parse(whole, fields: fields, progress: &progress)
        Input.withCopy(input) { pieces in
            let other = FieldTable()
            let again = Input.inPieces(pieces) { RequestParser.parse($0, fields: other, progress: &$1) }
            check("\(again)" == "\(outcome)", "in pieces \(again), whole \(outcome)")
        }
        guard case .complete(let head) = outcome else { return }
        checkBody(UnsafeMutableRawBufferPointer(rebasing: whole[head.byteCount...]), head.traits.framing)
        for trusted in [ForwardedField?.none, .xForwardedFor, .forwarded] {
            checkForwarded(head, UnsafeRawBufferPointer(whole), fields, trusted)
        }
    }
    return 0
}

private func checkForwarded(
    _ head: RequestHead, _ source: UnsafeRawBufferPointer, _ fields: borrowing FieldTable, _ trusted: ForwardedField?
) {
    let peer = IPAddress(v4: 0x0a00_0001)
    let proxies = [IPNetwork(IPAddress(v4: 0x0a00_0000), prefixLength: 8)!]
    let client = proxies.withUnsafeBufferPointer { proxies in
        trusted.map {
            ClientAddress.find(from: peer, source, fields, count: head.fieldCount, in: $0, trusted: proxies)
        } ?? peer
    }
    let context = ForwardingContext(
        client: client, peer: peer, scheme: .http, backend: SocketAddress(ip: IPAddress(v4: 1), port: 80),
        trustedField: trusted)
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 3 * HeadLimits.maximumBytes, alignment: 1)
    defer { buffer.deallocate() }
    let written = RequestHeadWriter.write(head, of: source, fields: fields, context: context, into: buffer)
    guard let written else { fatalError("no head grows threefold") }
    let forwarded = UnsafeMutableRawBufferPointer(rebasing: buffer[..<written])
    let others = FieldTable()
    var progress = ParseProgress()
    switch RequestParser.parse(forwarded, fields: others, progress: &progress) {
    case .complete(let again):
        check(again.byteCount == written, "a part of the forwarded head is left")
        check(again.traits.framing == head.traits.framing, "another framing")
        check(again.traits.method == head.traits.method, "another method")
        check(again.traits.wantsUpgrade == head.traits.wantsUpgrade, "another upgrade")
        check(again.hasQuery == head.hasQuery, "another query")
        check(forwarded[again.path.range].elementsEqual(source[head.path.range]), "another path")
        if !head.authority.isEmpty {
            check(forwarded[again.authority.range].elementsEqual(source[head.authority.range]), "another host")
        }
    case .invalid(.headTooLarge), .invalid(.tooManyFields), .invalid(.targetTooLong):
        break
    case .invalid(let fault):
        fatalError("forwarded a head with a fault: \(fault)")
    case .incomplete:
        fatalError("forwarded an incomplete head")
    }
}
