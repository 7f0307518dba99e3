/// The `traceparent` field: `00-<32 digits: trace>-<16 digits: span>-<2 digits: flags>`, all lower-case hexadecimal.
/// W3C Trace Context section 3.2; later versions may have more behind a further hyphen.
enum TraceParent {
    private static let length = 55
    private static let longest = 256
    private static let hyphens = (2, 35, 52)

    /// The id of the trace that a request is part of; nil when it does not say so in exactly one valid field.
    static func find(
        _ head: RequestHead, _ source: UnsafeRawBufferPointer, _ fields: borrowing FieldTable
    ) -> ByteSlice? {
        var found: ByteSlice?
        for index in 0..<head.fieldCount where fields[index].known == .traceparent {
            if found != nil { return nil }
            let field = fields[index]
            if head.connectionNamesFields,
                ForwardedFields.connectionNames(field.name, source, fields, count: head.fieldCount)
            {
                return nil
            }
            guard let trace = traceID(source.bytes, field.value) else { return nil }
            found = trace
        }
        return found
    }

    /// The part of `value` that is the trace's id; nil when the value is not valid.
    static func traceID(_ bytes: RawSpan, _ value: ByteSlice) -> ByteSlice? {
        guard length...longest ~= Int(value.count) else { return nil }
        let start = value.start
        for index in 0..<length {
            let byte = Scan.byte(bytes, start + index)
            if index == hyphens.0 || index == hyphens.1 || index == hyphens.2 {
                guard byte == UInt8(ascii: "-") else { return nil }
            } else {
                guard isLowercaseHexadecimal(byte) else { return nil }
            }
        }
        switch (Scan.byte(bytes, start), Scan.byte(bytes, start + 1)) {
        case (UInt8(ascii: "f"), UInt8(ascii: "f")): return nil
        case (UInt8(ascii: "0"), UInt8(ascii: "0")): guard Int(value.count) == length else { return nil }
        case (_, _):
            guard Int(value.count) == length || Scan.byte(bytes, start + length) == UInt8(ascii: "-") else {
                return nil
            }
        }
        let trace = ByteSlice(from: start + hyphens.0 + 1, to: start + hyphens.1)
        let span = ByteSlice(from: start + hyphens.1 + 1, to: start + hyphens.2)
        return isZero(bytes, trace) || isZero(bytes, span) ? nil : trace
    }

    private static func isZero(_ bytes: RawSpan, _ digits: ByteSlice) -> Bool {
        digits.range.allSatisfy { Scan.byte(bytes, $0) == UInt8(ascii: "0") }
    }

    private static func isLowercaseHexadecimal(_ byte: UInt8) -> Bool {
        byte &- 0x30 < 10 || byte &- 0x61 < 6
    }
}
