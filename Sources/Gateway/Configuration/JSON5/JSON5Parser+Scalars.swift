extension JSON5Parser {
    mutating func parseString() throws(JSON5SyntaxError) -> String {
        let opening = offset
        let quote = bytes[opening]
        offset += 1
        var text: [UInt8] = []
        while let byte = peek, byte != UInt8(ascii: "\n"), byte != UInt8(ascii: "\r") {
            offset += 1
            if byte == quote { return String(decoding: text, as: UTF8.self) }
            if byte == UInt8(ascii: "\\") {
                try parseEscape(into: &text)
            } else {
                text.append(byte)
            }
        }
        throw JSON5SyntaxError(
            offset: opening, wrong: "the string that begins here is not closed on its line",
            right: "expected a \(Unicode.Scalar(quote)) at its end")
    }

    /// What follows a backslash, which has been taken.
    private mutating func parseEscape(into text: inout [UInt8]) throws(JSON5SyntaxError) {
        let start = offset - 1
        guard let scalar = peekScalar else { return }
        offset += UTF8.width(scalar)
        switch scalar {
        case "b": text.append(0x08)
        case "f": text.append(0x0c)
        case "n": text.append(0x0a)
        case "r": text.append(0x0d)
        case "t": text.append(0x09)
        case "v": text.append(0x0b)
        case "0" where !nextIsDigit: text.append(0)
        case "0"..."9":
            throw JSON5SyntaxError(
                offset: start, wrong: "octal escapes are not JSON5", right: "use \\x and two hexadecimal digits")
        case "x": text.append(contentsOf: Unicode.Scalar(UInt8(try parseHexDigits(2, from: start))).utf8Bytes)
        case "u": text.append(contentsOf: try parseUnicodeEscape(from: start).utf8Bytes)
        case "\r": _ = take("\n")
        case _ where isLineEnd(scalar): break
        case _: text.append(contentsOf: scalar.utf8Bytes)
        }
    }

    /// The four digits after `\u`, and the second half when they are the first half of a surrogate pair.
    mutating func parseUnicodeEscape(from start: Int) throws(JSON5SyntaxError) -> Unicode.Scalar {
        let first = try parseHexDigits(4, from: start)
        if let scalar = Unicode.Scalar(first) { return scalar }
        if first < 0xdc00, take("\\"), take("u") {
            let second = try parseHexDigits(4, from: start)
            if 0xdc00...0xdfff ~= second {
                return Unicode.Scalar(0x10000 + (first - 0xd800) << 10 + (second - 0xdc00))!
            }
        }
        throw JSON5SyntaxError(
            offset: start, wrong: "half of a surrogate pair", right: "write both halves, as in \\uD83D\\uDE00")
    }

    private mutating func parseHexDigits(_ count: Int, from start: Int) throws(JSON5SyntaxError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<count {
            guard let byte = peek, let digit = hexDigit(byte) else {
                throw JSON5SyntaxError(
                    offset: start, wrong: "an escape that is too short", right: "expected \(count) hexadecimal digits")
            }
            value = value << 4 | digit
            offset += 1
        }
        return value
    }

    mutating func parseNumber() throws(JSON5SyntaxError) -> JSON5Number {
        let start = offset
        let isNegative = peek == UInt8(ascii: "-")
        if isNegative || peek == UInt8(ascii: "+") { offset += 1 }
        let sign = isNegative ? "-" : ""
        if let first = peek, Unicode.Scalar(first).properties.isAlphabetic {
            return try parseNumberWord(from: start, isNegative: isNegative)
        }
        let number: (value: Double?, integer: Int?)
        if peek == UInt8(ascii: "0"), offset + 1 < bytes.count, bytes[offset + 1] | 0x20 == UInt8(ascii: "x") {
            offset += 2
            let digits = takeDigits(radix: 16)
            number = (digits.isEmpty ? nil : hexadecimalValue(digits), Int(sign + digits, radix: 16))
        } else {
            let text = try parseDecimal(from: start)
            let value = Double(text)
            number = (value, Int(sign + text) ?? value.flatMap { wholeNumber(isNegative ? -$0 : $0) })
        }
        if let next = peekScalar, isIdentifierPart(next) || next == "." {
            throw JSON5SyntaxError(
                offset: start, wrong: "\(found) inside a number",
                right: "use a number alone, or a string in quotes such as \"500ms\"")
        }
        let literal = String(decoding: bytes[start..<offset], as: UTF8.self)
        guard let value = number.value else {
            throw JSON5SyntaxError(offset: start, wrong: "\(quoted(literal)) is no number", right: "expected digits")
        }
        return JSON5Number(literal: literal, value: isNegative ? -value : value, integer: number.integer)
    }

    private mutating func parseNumberWord(from start: Int, isNegative: Bool) throws(JSON5SyntaxError) -> JSON5Number {
        let word = try parseIdentifier() ?? ""
        guard word == "Infinity" || word == "NaN" else {
            throw JSON5SyntaxError(offset: start, wrong: "a sign without a number", right: "expected digits after it")
        }
        let magnitude = word == "NaN" ? Double.nan : .infinity
        let literal = String(decoding: bytes[start..<offset], as: UTF8.self)
        return JSON5Number(literal: literal, value: isNegative ? -magnitude : magnitude, integer: nil)
    }

    /// Takes a decimal number without its sign and returns it with a digit on either side of the point.
    private mutating func parseDecimal(from start: Int) throws(JSON5SyntaxError) -> String {
        let whole = takeDigits(radix: 10)
        if whole.utf8.count > 1 && whole.utf8.first == UInt8(ascii: "0") {
            throw JSON5SyntaxError(
                offset: start, wrong: "a number with a leading zero",
                right: "leave the zero out; hexadecimal begins with 0x")
        }
        let fraction = take(".") ? takeDigits(radix: 10) : ""
        guard !whole.isEmpty || !fraction.isEmpty else { return "" }
        var text = fraction.isEmpty ? whole : "\(whole.isEmpty ? "0" : whole).\(fraction)"
        if take("e") || take("E") {
            let isNegative = take("-")
            if !isNegative { _ = take("+") }
            let exponent = takeDigits(radix: 10)
            guard !exponent.isEmpty else {
                throw JSON5SyntaxError(offset: start, wrong: "an exponent without digits", right: "write it as in 1e3")
            }
            text += isNegative ? "e-\(exponent)" : "e\(exponent)"
        }
        return text
    }

    private func hexDigit(_ byte: UInt8) -> UInt32? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(byte - UInt8(ascii: "a") + 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(byte - UInt8(ascii: "A") + 10)
        case _: nil
        }
    }

    private mutating func takeDigits(radix: UInt32) -> String {
        let start = offset
        while let byte = peek, let digit = hexDigit(byte), digit < radix { offset += 1 }
        return String(decoding: bytes[start..<offset], as: UTF8.self)
    }

    private func hexadecimalValue(_ digits: String) -> Double {
        digits.utf8.reduce(0) { $0 * 16 + Double(hexDigit($1) ?? 0) }
    }

    /// Doubles hold every whole number up to 2^53.
    private func wholeNumber(_ value: Double) -> Int? {
        abs(value) <= 9_007_199_254_740_992 ? Int(exactly: value) : nil
    }
}

extension Unicode.Scalar {
    fileprivate var utf8Bytes: String.UTF8View { String(self).utf8 }
}
