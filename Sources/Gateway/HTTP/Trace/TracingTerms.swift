/// A `TracingPolicy` as the workers see it: plain memory, owned by the `RoutingTable` that holds it.
struct TracingTerms {
    let requestID: TracingPolicy.RequestID
    let field: RequestIDField
    let traceparent: TracingPolicy.Traceparent
    let sampledPercent: UInt32

    init(_ policy: TracingPolicy) {
        requestID = policy.requestID
        field = RequestIDField(policy.requestIDField)
        traceparent = policy.traceparent
        sampledPercent = UInt32(policy.sampledPercent)
    }

    func deallocate() { field.deallocate() }
}

/// The name of the field that has the request's ID.
struct RequestIDField {
    /// Of an ID that is kept.
    static let longestID = 128

    private let text: UnsafeBufferPointer<UInt8>

    init(_ name: String) { text = copied(Array("\(name): ".utf8)) }

    func deallocate() { text.deallocate() }

    /// The name with colon and space.
    @inline(__always)
    var line: UnsafeRawBufferPointer { UnsafeRawBufferPointer(text) }

    /// Whether a field of a message has this name, in any case of letters.
    @inline(__always)
    func matches(_ source: UnsafeRawBufferPointer, _ name: ByteSlice) -> Bool {
        let count = text.count &- 2
        guard Int(name.count) == count else { return false }
        for index in 0..<count where lowercased(source[name.start &+ index]) != lowercased(text[index]) { return false }
        return true
    }

    @inline(__always)
    private func lowercased(_ byte: UInt8) -> UInt8 { byte &- 0x41 < 26 ? byte | 0x20 : byte }

    /// The ID that a request came with; nil when there is none that can be kept: exactly one, of 1 to `longestID`
    /// visible ASCII characters, that Connection does not name.
    func given(
        in head: RequestHead, _ source: UnsafeRawBufferPointer, _ fields: borrowing FieldTable
    ) -> ByteSlice? {
        var given: ByteSlice?
        for index in 0..<head.fieldCount where fields[index].known == .unknown {
            let field = fields[index]
            guard matches(source, field.name) else { continue }
            let isNamed =
                head.connectionNamesFields
                && ForwardedFields.connectionNames(field.name, source, fields, count: head.fieldCount)
            guard given == nil, !isNamed, 1...RequestIDField.longestID ~= Int(field.value.count),
                field.value.range.allSatisfy({ source[$0] &- 0x21 < 0x5e })
            else { return nil }
            given = field.value
        }
        return given
    }
}
