import Posix

/// A PROXY header: every beginning of it says `incomplete` or what the whole says, and what is read can be written and
/// read again.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzzIntroduction(_ data: UnsafePointer<UInt8>, _ size: Int) -> Int32 {
    Input.withCopy(UnsafeRawBufferPointer(start: data, count: size)) { copy in
        let whole = UnsafeRawBufferPointer(copy)
        let outcome = ProxyHeaderParser.parse(whole.bytes)
        for count in 0..<min(whole.count, 300) {
            let part = ProxyHeaderParser.parse(UnsafeRawBufferPointer(rebasing: whole[..<count]).bytes)
            check(part == .incomplete || part == outcome, "\(part) after \(count) bytes, \(outcome) after all")
        }
        guard case .complete(let header) = outcome else { return }
        check(header.byteCount <= min(whole.count, ProxyHeader.maximumBytes), "longer than what there is")
        if let client = header.client { checkWritten(client) }
    }
    return 0
}

private func checkWritten(_ client: SocketAddress) {
    for version in ProxyHeaderVersion.allCases {
        for server in [IPAddress(v4: 0x0a00_0001), IPAddress(high: 0x2001_0db8 << 32, low: 1)] {
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: ProxyHeaderWriter.longest, alignment: 1)
            defer { buffer.deallocate() }
            let count = ProxyHeaderWriter.write(
                version, client: client, server: SocketAddress(ip: server, port: 443), into: buffer)
            let again = ProxyHeaderParser.parse(UnsafeRawBufferPointer(rebasing: buffer[..<count]).bytes)
            check(again == .complete(ProxyHeader(byteCount: count, client: client)), "\(again) of \(client)")
        }
    }
}
