/// Where a request is to be made instead, RFC 9110 section 10.2.2: at the same host and target, by HTTPS.
enum SecureLocation {
    private static let standardPort: UInt16 = 443

    /// Returns the number of bytes written to `buffer`, nil if they do not fit or the request names no host.
    static func write(
        _ head: RequestHead, of source: UnsafeRawBufferPointer, port: UInt16, into buffer: UnsafeMutableRawBufferPointer
    ) -> Int? {
        if head.host.isEmpty { return nil }
        var output = HeadOutput(buffer)
        output.write("https://")
        output.write(head.host, of: source)
        if port != standardPort {
            output.write(.colon)
            output.write(decimal: UInt64(port))
        }
        if !head.isAsterisk { output.write(head.path, of: source) }
        if head.hasQuery {
            output.write(.questionMark)
            output.write(head.query, of: source)
        }
        return output.count
    }
}
