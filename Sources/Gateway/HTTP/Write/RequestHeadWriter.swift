import Posix

/// What a forwarded request says about the hop it came over.
package struct ForwardingContext: @unchecked Sendable {
    package enum Scheme: Sendable {
        case http, https
    }

    /// On whose behalf the request was sent: the peer's, unless that is a trusted proxy.
    package var client: IPAddress
    /// Who sent it.
    package var peer: IPAddress
    package var scheme: Scheme
    /// Named as host for HTTP/1.0 requests that name none.
    package var backend: SocketAddress
    /// What a trusted peer says of those before it in this field is kept; nil when the peer is not trusted.
    package var trustedField: ForwardedField?
    /// Of the client's verified certificate; empty without one. Valid for as long as the context is used.
    package var certificateSubject: UnsafeRawBufferPointer

    package init(
        client: IPAddress, peer: IPAddress? = nil, scheme: Scheme, backend: SocketAddress,
        trustedField: ForwardedField? = nil, certificateSubject: UnsafeRawBufferPointer = .empty
    ) {
        self.client = client
        self.peer = peer ?? client
        self.scheme = scheme
        self.backend = backend
        self.trustedField = trustedField
        self.certificateSubject = certificateSubject
    }
}

/// Writes the head of the request to the backend.
///
/// Fields of the hop and those that Connection names go first, ours are added afterwards: a client can not strip
/// or forge what we say. Framing fields are made anew from the parsed framing, Via gets an entry (RFC 9110 section
/// 7.6.3), and the fields about the client are written by `ForwardedForFields`.
package enum RequestHeadWriter {
    /// Returns the number of bytes written to `buffer`, nil if they do not fit. `source` is the message that was
    /// parsed into `head` and `fields`; it must not overlap `buffer`.
    package static func write(
        _ head: RequestHead, of source: UnsafeRawBufferPointer, fields: borrowing FieldTable,
        context: ForwardingContext, trace: RequestTrace = .none, into buffer: UnsafeMutableRawBufferPointer
    ) -> Int? {
        var output = HeadOutput(buffer)
        writeRequestLine(head, source, &output)
        writeHost(head, source, context, &output)
        let keepsHost = !head.isAbsolute
        ForwardedFields.write(source, fields, count: head.fieldCount, headEnd: head.byteCount, to: &output) { field in
            switch field.known {
            case .unknown:
                (!head.connectionNamesFields
                    || !ForwardedFields.connectionNames(field.name, source, fields, count: head.fieldCount))
                    && !trace.replaces(field, of: source)
            case .date:
                !head.connectionNamesFields
                    || !ForwardedFields.connectionNames(field.name, source, fields, count: head.fieldCount)
            case .traceparent, .tracestate:
                trace.passesContext
                    && !(head.connectionNamesFields
                        && ForwardedFields.connectionNames(field.name, source, fields, count: head.fieldCount))
            case .host: keepsHost
            case .expect: head.traits.expectsContinue
            case .connection, .contentLength, .transferEncoding, .te, .trailer, .upgrade, .http2Settings,
                .keepAlive, .proxyConnection, .forwardedFor, .forwardedProto, .forwardedHost, .forwarded,
                .clientCertificateSubject:
                false
            case .maxForwards:
                head.maxForwards == nil
                    && !(head.connectionNamesFields
                        && ForwardedFields.connectionNames(field.name, source, fields, count: head.fieldCount))
            }
        }
        ForwardedForFields.write(head, of: source, fields, context, to: &output)
        trace.write(to: &output)
        if !context.certificateSubject.isEmpty {
            output.write("X-Client-Certificate-Subject: ")
            output.write(context.certificateSubject)
            output.write("\r\n")
        }
        writeHop(head, source, fields, &output)
        return output.count
    }

    @inline(__always)
    private static func writeRequestLine(
        _ head: RequestHead, _ source: UnsafeRawBufferPointer, _ output: inout HeadOutput
    ) {
        output.write(head.methodName, of: source)
        output.write(.space)
        if head.isAsterisk {
            output.write(UInt8(ascii: "*"))
        } else {
            output.write(head.path, of: source)
        }
        if head.hasQuery {
            output.write(.questionMark)
            output.write(head.query, of: source)
        }
        output.write(" HTTP/1.1\r\n")
    }

    /// Writes the Host field unless the one that came is copied as it is.
    @inline(__always)
    private static func writeHost(
        _ head: RequestHead, _ source: UnsafeRawBufferPointer, _ context: ForwardingContext,
        _ output: inout HeadOutput
    ) {
        guard head.isAbsolute || head.authority.isEmpty else { return }
        output.write("Host: ")
        if head.authority.isEmpty {
            output.write(context.backend)
        } else {
            output.write(head.authority, of: source)
        }
        output.write("\r\n")
    }

    /// Via, framing and what concerns the connection to the backend, which is persistent by default.
    private static func writeHop(
        _ head: RequestHead, _ source: UnsafeRawBufferPointer, _ fields: borrowing FieldTable,
        _ output: inout HeadOutput
    ) {
        output.write(HopFields.via(head.traits.version))
        if let hops = head.maxForwards {
            output.write("Max-Forwards: ")
            output.write(decimal: UInt64(max(hops, 1) - 1))
            output.write("\r\n")
        }
        if head.traits.wantsUpgrade {
            output.write("Connection: upgrade\r\n")
            HopFields.writeUpgrade(source, fields, count: head.fieldCount, to: &output)
        }
        HopFields.writeFraming(head.traits.framing, to: &output)
        output.write("\r\n")
    }
}
