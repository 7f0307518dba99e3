extension AdminResponse {
    /// The HTTP/1.1 message. Answers are never cached, sniffed for a type or shown inside another page.
    package func message(isPersistent: Bool, isForHead: Bool) -> [UInt8] {
        var head = "HTTP/1.1 \(status) \(Self.reasonPhrase(status))\r\n"
        head += "Content-Type: \(contentType)\r\n"
        if stream == nil { head += "Content-Length: \(body.count)\r\n" }
        head += "Cache-Control: no-store\r\n"
        head += "X-Content-Type-Options: nosniff\r\n"
        if let entityTag { head += "ETag: \(entityTag)\r\n" }
        if let contentPolicy { head += "Content-Security-Policy: \(contentPolicy)\r\n" }
        if let allow { head += "Allow: \(allow)\r\n" }
        if let challenge { head += "WWW-Authenticate: \(challenge)\r\n" }
        head += "Connection: \(isPersistent ? "keep-alive" : "close")\r\n\r\n"
        return Array(head.utf8) + (isForHead ? [] : body)
    }
}
