/// A complete response of the gateway itself: a status and one line of text that says why.
package enum OwnResponse {
    /// Longer details are cut.
    static let maximumDetailBytes = 512
    /// Any own response fits, but for its location.
    package static let maximumBytes = 1536

    /// Writes the response to `buffer`, which must have `maximumBytes`; returns the number of bytes.
    ///
    /// `detail` (UTF-8, may be empty) follows the reason: which upstream, how many backends. `isHead`: the request
    /// was a HEAD, so the body is left out. `location`: of a redirection, else empty.
    package static func write(
        status: UInt16, reason: StaticString, detail: UnsafeRawBufferPointer, isHead: Bool, terms: ReplyTerms,
        retryAfterSeconds: Int? = nil, location: UnsafeRawBufferPointer = .empty,
        into buffer: UnsafeMutableRawBufferPointer
    ) -> Int {
        let detail = UnsafeRawBufferPointer(rebasing: detail.prefix(maximumDetailBytes))
        let phrase = phrase(status)
        let detailCount = detail.isEmpty ? 0 : detail.count + 2
        let count = 4 + phrase.utf8CodeUnitCount + 2 + reason.utf8CodeUnitCount + detailCount + 1
        var output = HeadOutput(buffer)
        output.write("HTTP/1.1 ")
        writeStatus(status, phrase, &output)
        output.write("\r\nContent-Type: text/plain; charset=utf-8\r\nDate: ")
        output.write(terms.date)
        output.write("\r\n")
        if let retryAfterSeconds {
            output.write("Retry-After: ")
            output.write(decimal: UInt64(retryAfterSeconds))
            output.write("\r\n")
        }
        if !location.isEmpty {
            output.write("Location: ")
            output.write(location)
            output.write("\r\n")
        }
        output.write(terms.addedFields)
        if terms.announcesClose {
            output.write("Connection: close\r\n")
        } else if terms.clientVersion == .http10 {
            output.write("Connection: keep-alive\r\n")
        }
        HopFields.writeContentLength(UInt64(count), to: &output)
        output.write("\r\n")
        if !isHead {
            writeStatus(status, phrase, &output)
            output.write(": ")
            output.write(reason)
            if !detail.isEmpty {
                output.write(": ")
                output.write(detail)
            }
            output.write(.lineFeed)
        }
        guard let written = output.count else { preconditionFailure("the buffer is too small") }
        return written
    }

    private static func writeStatus(_ status: UInt16, _ phrase: StaticString, _ output: inout HeadOutput) {
        output.write(decimal: UInt64(status))
        output.write(.space)
        output.write(phrase)
    }

    /// The reason phrases of the statuses that the gateway gives, RFC 9110 section 15.
    private static func phrase(_ status: UInt16) -> StaticString {
        switch status {
        case 200: "OK"
        case 308: "Permanent Redirect"
        case 400: "Bad Request"
        case 404: "Not Found"
        case 408: "Request Timeout"
        case 413: "Content Too Large"
        case 414: "URI Too Long"
        case 417: "Expectation Failed"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 501: "Not Implemented"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        case 505: "HTTP Version Not Supported"
        default: "Error"
        }
    }
}
