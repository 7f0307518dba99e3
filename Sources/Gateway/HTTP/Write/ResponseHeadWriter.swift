/// How a response goes to the client; the exchange knows.
package struct ReplyTerms: @unchecked Sendable {
    package var framing: BodyFraming
    package var announcesClose: Bool
    /// The version of the request: HTTP/1.0 clients have to be told that the connection stays.
    package var clientVersion: HTTPVersion
    /// For responses that have no Date, RFC 9110 section 6.6.1.
    package var date: HTTPDate
    /// Whole field lines that a final response has in addition; valid for as long as the terms are used.
    package var addedFields: UnsafeRawBufferPointer
    /// The same for the one that names the client's backend.
    package var cookie: UnsafeRawBufferPointer

    package init(
        framing: BodyFraming, announcesClose: Bool, clientVersion: HTTPVersion, date: HTTPDate,
        addedFields: UnsafeRawBufferPointer = .empty, cookie: UnsafeRawBufferPointer = .empty
    ) {
        self.framing = framing
        self.announcesClose = announcesClose
        self.clientVersion = clientVersion
        self.date = date
        self.addedFields = addedFields
        self.cookie = cookie
    }
}

/// Writes the head of a response to the client. As in `RequestHeadWriter` fields of the hop and those that
/// Connection names are left out before ours are added, and framing fields are made anew.
package enum ResponseHeadWriter {
    /// Returns the number of bytes written to `buffer`, nil if they do not fit. `source` is the message that was
    /// parsed into `head` and `fields`; it must not overlap `buffer`.
    package static func write(
        _ head: ResponseHead, of source: UnsafeRawBufferPointer, fields: borrowing FieldTable, terms: ReplyTerms,
        into buffer: UnsafeMutableRawBufferPointer
    ) -> Int? {
        var output = HeadOutput(buffer)
        writeStatusLine(head, source, &output)
        ForwardedFields.write(source, fields, count: head.fieldCount, headEnd: head.byteCount, to: &output) { field in
            switch field.known {
            case .unknown, .date, .host, .expect, .http2Settings, .forwardedFor, .forwardedProto, .forwardedHost,
                .forwarded, .maxForwards, .traceparent, .tracestate, .clientCertificateSubject:
                !head.connectionNamesFields
                    || !ForwardedFields.connectionNames(field.name, source, fields, count: head.fieldCount)
            case .connection, .contentLength, .transferEncoding, .te, .trailer, .upgrade, .keepAlive,
                .proxyConnection:
                false
            }
        }
        if !head.hasDate, !head.traits.isInterim {
            output.write("Date: ")
            output.write(terms.date)
            output.write("\r\n")
        }
        if !head.traits.isInterim {
            output.write(terms.addedFields)
            output.write(terms.cookie)
        }
        output.write(HopFields.via(head.traits.version))
        writeConnection(head, source, fields, terms, &output)
        writeFraming(head, terms, &output)
        output.write("\r\n")
        return output.count
    }

    @inline(__always)
    private static func writeStatusLine(
        _ head: ResponseHead, _ source: UnsafeRawBufferPointer, _ output: inout HeadOutput
    ) {
        output.write("HTTP/1.1 ")
        output.write(decimal: UInt64(head.traits.status))
        output.write(.space)
        output.write(head.reason, of: source)
        output.write("\r\n")
    }

    /// Only 101 and 426 speak of upgrades to the client, RFC 9110 section 7.8.
    @inline(__always)
    private static func writeConnection(
        _ head: ResponseHead, _ source: UnsafeRawBufferPointer, _ fields: borrowing FieldTable, _ terms: ReplyTerms,
        _ output: inout HeadOutput
    ) {
        let upgrades = head.traits.status == 101 || head.traits.status == 426
        if upgrades { HopFields.writeUpgrade(source, fields, count: head.fieldCount, to: &output) }
        if head.traits.isInterim, !upgrades { return }
        switch (upgrades, terms.announcesClose, terms.clientVersion) {
        case (true, true, _): output.write("Connection: upgrade, close\r\n")
        case (true, false, _): output.write("Connection: upgrade\r\n")
        case (false, true, _): output.write("Connection: close\r\n")
        case (false, false, .http10): output.write("Connection: keep-alive\r\n")
        case (false, false, .http11): break
        }
    }

    /// A response without a body may still state the length that its body would have (HEAD, 304), but neither a
    /// 1xx nor a 204 may, RFC 9110 section 8.6.
    @inline(__always)
    private static func writeFraming(_ head: ResponseHead, _ terms: ReplyTerms, _ output: inout HeadOutput) {
        guard terms.framing == .none else { return HopFields.writeFraming(terms.framing, to: &output) }
        guard let length = head.contentLength, !head.traits.isInterim, head.traits.status != 204 else { return }
        HopFields.writeContentLength(length, to: &output)
    }
}
