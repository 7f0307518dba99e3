extension JSON5Parser {
    /// The next byte, nil at the end of the text.
    var peek: UInt8? { offset < bytes.count ? bytes[offset] : nil }

    /// The next character. The text is known to be UTF-8.
    var peekScalar: Unicode.Scalar? {
        guard let first = peek else { return nil }
        if first < 0x80 { return Unicode.Scalar(first) }
        return String(decoding: bytes[offset..<min(offset + 4, bytes.count)], as: UTF8.self).unicodeScalars.first
    }

    var nextIsDigit: Bool { peek.map { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 } ?? false }

    mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard peek == UInt8(ascii: character) else { return false }
        offset += 1
        return true
    }

    func failure(_ wrong: String, _ right: String) -> JSON5SyntaxError {
        JSON5SyntaxError(offset: offset, wrong: wrong, right: right)
    }

    /// What comes next, for messages.
    var found: String {
        guard let scalar = peekScalar else { return "the end of the file" }
        return scalar.isPrintable && scalar != " " ? "`\(scalar)`" : "the character \(scalar.codePoint)"
    }

    /// Skips white space and comments up to the next token, which must exist: the container is still open.
    mutating func skipBlanks(inside container: String, openedAt opening: Int) throws(JSON5SyntaxError) {
        try skipBlanks()
        guard offset == bytes.count else { return }
        let bracket = Unicode.Scalar(bytes[opening])
        throw JSON5SyntaxError(
            offset: opening, wrong: "the \(container) that begins here is never closed",
            right: bracket == "{" ? "expected a `}` at its end" : "expected a `]` at its end")
    }

    /// Skips white space and comments.
    mutating func skipBlanks() throws(JSON5SyntaxError) {
        while let scalar = peekScalar {
            if isBlank(scalar) {
                offset += UTF8.width(scalar)
            } else if starts(with: "//") {
                skipLine()
            } else if starts(with: "/*") {
                try skipBlockComment()
            } else {
                return
            }
        }
    }

    private mutating func skipLine() {
        while let scalar = peekScalar, !isLineEnd(scalar) { offset += UTF8.width(scalar) }
    }

    private mutating func skipBlockComment() throws(JSON5SyntaxError) {
        let start = offset
        offset += 2
        while !starts(with: "*/") {
            guard offset < bytes.count else {
                throw JSON5SyntaxError(
                    offset: start, wrong: "the comment that begins here is never closed",
                    right: "expected a */ at its end")
            }
            offset += 1
        }
        offset += 2
    }

    private func starts(with marker: StaticString) -> Bool {
        offset + 2 <= bytes.count && bytes[offset] == marker.utf8Start[0] && bytes[offset + 1] == marker.utf8Start[1]
    }

    private func isBlank(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case " ", "\t", "\u{b}", "\u{c}", "\u{feff}": true
        case _: isLineEnd(scalar) || (scalar.value >= 0x80 && scalar.properties.generalCategory == .spaceSeparator)
        }
    }

    func isLineEnd(_ scalar: Unicode.Scalar) -> Bool {
        scalar == "\n" || scalar == "\r" || scalar == "\u{2028}" || scalar == "\u{2029}"
    }

    /// An IdentifierName of ECMAScript 5.1 (section 7.6); nil when none begins here.
    mutating func parseIdentifier() throws(JSON5SyntaxError) -> String? {
        var name = String.UnicodeScalarView()
        while let next = peekScalar {
            let start = offset
            let scalar: Unicode.Scalar
            if next == "\\" {
                offset += 1
                guard take("u") else {
                    throw failure("\(found) after a backslash in a key", "expected \\u and four hexadecimal digits")
                }
                scalar = try parseUnicodeEscape(from: start)
            } else {
                scalar = next
            }
            guard name.isEmpty ? isIdentifierStart(scalar) : isIdentifierPart(scalar) else {
                if next == "\\" {
                    throw JSON5SyntaxError(
                        offset: start, wrong: "this character is not allowed in an unquoted key",
                        right: "put the key in quotes")
                }
                break
            }
            if next != "\\" { offset += UTF8.width(next) }
            name.append(scalar)
        }
        return name.isEmpty ? nil : String(name)
    }

    func isIdentifierPart(_ scalar: Unicode.Scalar) -> Bool {
        if isIdentifierStart(scalar) || ("0"..."9").contains(scalar) { return true }
        if scalar == "\u{200c}" || scalar == "\u{200d}" { return true }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .spacingMark, .decimalNumber, .connectorPunctuation: return true
        case _: return false
        }
    }

    private func isIdentifierStart(_ scalar: Unicode.Scalar) -> Bool {
        if scalar == "$" || scalar == "_" { return true }
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .letterNumber:
            return true
        case _: return false
        }
    }
}
