/// Parses JSON5 (spec.json5.org, version 1.0.0): JSON with comments, trailing commas, unquoted keys, single quotes,
/// hexadecimal numbers and escaped line ends.
package struct JSON5Parser {
    /// Upper limits, so that no text can exhaust memory or the stack.
    package enum Limit {
        package static let bytes = 1 << 20
        package static let depth = 64
    }

    let bytes: [UInt8]
    var offset = 0

    /// The one value of the text.
    package static func parse(_ bytes: [UInt8]) throws(JSON5SyntaxError) -> JSON5Value {
        guard bytes.count <= Limit.bytes else {
            throw JSON5SyntaxError(
                offset: 0, wrong: "the file has \(bytes.count) bytes", right: "at most \(Limit.bytes) are allowed")
        }
        do throws(UTF8.ValidationError) {
            _ = try UTF8Span(validating: bytes.span)
        } catch {
            throw JSON5SyntaxError(
                offset: error.byteOffsets.lowerBound, wrong: "the bytes here are not UTF-8",
                right: "save the file in UTF-8")
        }
        var parser = JSON5Parser(bytes: bytes)
        try parser.skipBlanks()
        let value = try parser.parseValue(depth: 0)
        try parser.skipBlanks()
        guard parser.offset == bytes.count else {
            throw parser.failure(
                "\(parser.found) after the end of the value", "expected nothing but comments here")
        }
        return value
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private mutating func parseValue(depth: Int) throws(JSON5SyntaxError) -> JSON5Value {
        guard depth < Limit.depth else {
            throw failure("nested deeper than \(Limit.depth) levels", "use a flatter structure")
        }
        let start = offset
        let content: JSON5Value.Content
        switch peek {
        case UInt8(ascii: "{"): content = .object(try parseMembers(depth: depth + 1))
        case UInt8(ascii: "["): content = .array(try parseElements(depth: depth + 1))
        case UInt8(ascii: "\""), UInt8(ascii: "'"): content = .string(try parseString())
        case UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."): content = .number(try parseNumber())
        case _ where nextIsDigit: content = .number(try parseNumber())
        case _: content = try parseWord()
        }
        return JSON5Value(content: content, offset: start, end: offset)
    }

    private mutating func parseMembers(depth: Int) throws(JSON5SyntaxError) -> [JSON5Member] {
        let opening = offset
        offset += 1
        var members: [JSON5Member] = []
        while true {
            try skipBlanks(inside: "object", openedAt: opening)
            if take("}") { return members }
            let keyOffset = offset
            let key = try parseKey()
            try skipBlanks(inside: "object", openedAt: opening)
            guard take(":") else {
                throw failure("\(found) after the key \(quoted(key))", "expected a colon and a value")
            }
            try skipBlanks(inside: "object", openedAt: opening)
            members.append(JSON5Member(key: key, keyOffset: keyOffset, value: try parseValue(depth: depth)))
            try skipBlanks(inside: "object", openedAt: opening)
            if take("}") { return members }
            guard take(",") else {
                throw failure("\(found) after the value of \(quoted(key))", "expected a comma or `}`")
            }
        }
    }

    private mutating func parseElements(depth: Int) throws(JSON5SyntaxError) -> [JSON5Value] {
        let opening = offset
        offset += 1
        var elements: [JSON5Value] = []
        while true {
            try skipBlanks(inside: "array", openedAt: opening)
            if take("]") { return elements }
            elements.append(try parseValue(depth: depth))
            try skipBlanks(inside: "array", openedAt: opening)
            if take("]") { return elements }
            guard take(",") else { throw failure("\(found) after an element", "expected a comma or `]`") }
        }
    }

    private mutating func parseKey() throws(JSON5SyntaxError) -> String {
        if peek == UInt8(ascii: "\"") || peek == UInt8(ascii: "'") { return try parseString() }
        guard let word = try parseIdentifier() else {
            throw failure("\(found) instead of a key", "expected a key or `}`")
        }
        return word
    }

    private mutating func parseWord() throws(JSON5SyntaxError) -> JSON5Value.Content {
        let start = offset
        guard let word = try parseIdentifier() else {
            throw failure(
                "\(found) instead of a value", "expected a string, number, true, false, null, `{` or `[`")
        }
        switch word {
        case "true": return .boolean(true)
        case "false": return .boolean(false)
        case "null": return .null
        case "Infinity": return .number(JSON5Number(literal: word, value: .infinity, integer: nil))
        case "NaN": return .number(JSON5Number(literal: word, value: .nan, integer: nil))
        case _:
            throw JSON5SyntaxError(
                offset: start, wrong: "the word \(quoted(word)) without quotes", right: "put a string in quotes")
        }
    }
}
