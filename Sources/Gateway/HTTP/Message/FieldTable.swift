/// One field line of a head.
package struct HeaderField: Sendable {
    package var name: ByteSlice
    /// Without the white space around it.
    package var value: ByteSlice
    package var known: KnownField
}

/// Room for the fields of one head, allocated once a worker and overwritten by every parse.
package struct FieldTable: ~Copyable {
    private let base: UnsafeMutablePointer<HeaderField>

    package init() { base = .allocate(capacity: HeadLimits.maximumFields) }

    deinit { base.deallocate() }

    package subscript(index: Int) -> HeaderField {
        get {
            precondition(index >= 0 && index < HeadLimits.maximumFields, "field index \(index) is outside the table")
            return base[index]
        }
        nonmutating set {
            precondition(index >= 0 && index < HeadLimits.maximumFields, "field index \(index) is outside the table")
            (base + index).initialize(to: newValue)
        }
    }
}
