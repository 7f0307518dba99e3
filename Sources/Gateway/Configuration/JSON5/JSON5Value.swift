/// A value of a JSON5 text and its place there.
package struct JSON5Value: Hashable, Sendable {
    package indirect enum Content: Hashable, Sendable {
        case null
        case boolean(Bool)
        case number(JSON5Number)
        case string(String)
        case array([JSON5Value])
        /// In the order of the text; a key may occur twice, which the reader of the object has to refuse.
        case object([JSON5Member])
    }

    package var content: Content
    /// In bytes from the beginning of the text.
    package var offset: Int
    /// One past its last byte.
    package var end: Int

    /// The kind of the value with its article, for messages.
    package var kind: String {
        switch content {
        case .null: "null"
        case .boolean: "a boolean"
        case .number: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

package struct JSON5Member: Hashable, Sendable {
    package var key: String
    /// Where the key begins, in bytes from the beginning of the text.
    package var keyOffset: Int
    package var value: JSON5Value
}

package struct JSON5Number: Hashable, Sendable {
    /// As written.
    package var literal: String
    /// May be infinite or not a number: JSON5 has words for both.
    package var value: Double
    /// nil when the number is not whole or does not fit.
    package var integer: Int?
}

/// What is no JSON5, where, and what would be.
package struct JSON5SyntaxError: Error, Hashable, Sendable {
    /// In bytes from the beginning of the text.
    package var offset: Int
    package var wrong: String
    package var right: String
}
