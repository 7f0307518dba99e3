import Posix

/// The fields that tell a backend about the client: X-Forwarded-For, -Proto and -Host, and Forwarded (RFC 7239).
///
/// What a peer that is not trusted says in them is dropped. Of a trusted one the chosen field is kept and added to,
/// and the other one is dropped all the same: a client may have written it. X-Forwarded-* are always there, Forwarded
/// where it was in the request, so that a backend never sees one that is not true.
enum ForwardedForFields {
    @inline(__always)
    static func write(
        _ head: RequestHead, of source: UnsafeRawBufferPointer, _ fields: borrowing FieldTable,
        _ context: ForwardingContext, to output: inout HeadOutput
    ) {
        if context.trustedField == .xForwardedFor {
            return continueList(head, source, fields, context, &output)
        }
        output.write("X-Forwarded-For: ")
        output.write(context.client)
        output.write("\r\n")
        writeProto(context, &output)
        writeHost(head, source, &output)
        if head.hasForwarded { writeForwarded(head, source, fields, context, &output) }
    }

    /// Adds the trusted peer to X-Forwarded-For, and keeps what it says of scheme and host.
    private static func continueList(
        _ head: RequestHead, _ source: UnsafeRawBufferPointer, _ fields: borrowing FieldTable,
        _ context: ForwardingContext, _ output: inout HeadOutput
    ) {
        output.write("X-Forwarded-For: ")
        copyValues(of: .forwardedFor, head, source, fields, &output)
        output.write(context.peer)
        output.write("\r\n")
        if !copyLines(of: .forwardedProto, head, source, fields, &output) { writeProto(context, &output) }
        if !copyLines(of: .forwardedHost, head, source, fields, &output) { writeHost(head, source, &output) }
        if head.hasForwarded { writeForwarded(head, source, fields, context, &output) }
    }

    private static func writeProto(_ context: ForwardingContext, _ output: inout HeadOutput) {
        switch context.scheme {
        case .http: output.write("X-Forwarded-Proto: http\r\n")
        case .https: output.write("X-Forwarded-Proto: https\r\n")
        }
    }

    private static func writeHost(
        _ head: RequestHead, _ source: UnsafeRawBufferPointer, _ output: inout HeadOutput
    ) {
        guard !head.authority.isEmpty else { return }
        output.write("X-Forwarded-Host: ")
        output.write(head.authority, of: source)
        output.write("\r\n")
    }

    /// One element for this hop, behind those of a peer that is trusted with this field.
    private static func writeForwarded(
        _ head: RequestHead, _ source: UnsafeRawBufferPointer, _ fields: borrowing FieldTable,
        _ context: ForwardingContext, _ output: inout HeadOutput
    ) {
        let keeps = context.trustedField == .forwarded
        output.write("Forwarded: ")
        if keeps { copyValues(of: .forwarded, head, source, fields, &output) }
        let address = keeps ? context.peer : context.client
        output.write(address.isIPv4 ? "for=" : "for=\"[")
        output.write(address)
        if !address.isIPv4 { output.write("]\"") }
        if !head.authority.isEmpty {
            // An authority has neither quotes nor backslashes.
            output.write(";host=\"")
            output.write(head.authority, of: source)
            output.write("\"")
        }
        switch context.scheme {
        case .http: output.write(";proto=http\r\n")
        case .https: output.write(";proto=https\r\n")
        }
    }

    /// The values of all lines of a field as one list, with a comma behind each.
    private static func copyValues(
        of known: KnownField, _ head: RequestHead, _ source: UnsafeRawBufferPointer, _ fields: borrowing FieldTable,
        _ output: inout HeadOutput
    ) {
        for index in 0..<head.fieldCount where counts(fields[index], known, head, source, fields) {
            output.write(fields[index].value, of: source)
            output.write(", ")
        }
    }

    /// Copies the lines of a field; false if there is none.
    private static func copyLines(
        of known: KnownField, _ head: RequestHead, _ source: UnsafeRawBufferPointer, _ fields: borrowing FieldTable,
        _ output: inout HeadOutput
    ) -> Bool {
        var isThere = false
        for index in 0..<head.fieldCount where counts(fields[index], known, head, source, fields) {
            isThere = true
            output.write(fields[index].name, of: source)
            output.write(": ")
            output.write(fields[index].value, of: source)
            output.write("\r\n")
        }
        return isThere
    }

    /// Not empty, and not removed by Connection.
    private static func counts(
        _ field: HeaderField, _ known: KnownField, _ head: RequestHead, _ source: UnsafeRawBufferPointer,
        _ fields: borrowing FieldTable
    ) -> Bool {
        guard field.known == known, !field.value.isEmpty else { return false }
        return !head.connectionNamesFields
            || !ForwardedFields.connectionNames(field.name, source, fields, count: head.fieldCount)
    }
}
