extension Schema where Value == TracingPolicy {
    /// The `tracing` object of a gateway file.
    static let tracing = object(
        .optional(
            "requestId", .choice, default: TracingPolicy.RequestID.create,
            "\"create\": every request gets a new one, but trusted proxies may bring their own; \"keep\": so may "
                + "everybody; \"off\": the field is left alone."),
        .optional(
            "requestIdField", .requestIDField, default: TracingPolicy.standard.requestIDField,
            "The field in which backends see it."),
        .optional(
            "traceparent", .choice, default: TracingPolicy.Traceparent.pass,
            "\"pass\": a valid one goes on with its tracestate, another one does not; \"create\": requests without one "
                + "begin a new trace; \"restart\": so do all but those of trusted proxies."),
        .optional(
            "sampledPercent", .integer(0...100), default: TracingPolicy.standard.sampledPercent,
            "Of the traces that begin here, the share that backends are asked to record."),
        make: TracingPolicy.init)
}

extension Schema where Value == String {
    fileprivate static var requestIDField: Schema {
        let noun = "a field name of 1 to 64 letters, digits and hyphens, such as \"X-Request-Id\""
        return text(noun) { text throws(TextFault) in
            let bytes = Array(text.utf8)
            guard 1...64 ~= bytes.count, bytes.allSatisfy({ $0.isASCIILetterOrDigit || $0 == UInt8(ascii: "-") }) else {
                throw TextFault(wrong: "\(quoted(text)) is no field name", right: "use \(noun)")
            }
            let known = KnownField.classify(bytes.span.bytes, ByteSlice(offset: 0, count: bytes.count))
            guard known == .unknown else {
                throw TextFault(
                    wrong: "\(quoted(text)) has another meaning", right: "use a name such as \"X-Request-Id\"")
            }
            return text
        }
    }
}
