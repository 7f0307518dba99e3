import Gateway
import Testing

/// The value as plain JSON, numbers by their integer or double value; or the offset and text of the error.
private func parsed(_ text: String) -> String {
    do throws(JSON5SyntaxError) {
        return describe(try JSON5Parser.parse(Array(text.utf8)))
    } catch {
        return "\(error.offset): \(error.wrong); \(error.right)"
    }
}

private func describe(_ value: JSON5Value) -> String {
    switch value.content {
    case .null: "null"
    case .boolean(let value): "\(value)"
    case .number(let number): number.integer.map { "\($0)" } ?? "\(number.value)"
    case .string(let text): "\"\(text)\""
    case .array(let elements): "[\(elements.map(describe).joined(separator: ","))]"
    case .object(let members):
        "{\(members.map { "\"\($0.key)\":\(describe($0.value))" }.joined(separator: ","))}"
    }
}

@Suite struct JSON5ParserTests {
    @Test(arguments: [
        ("null", "null"), ("true", "true"), (" false ", "false"), ("[]", "[]"), ("{}", "{}"),
        ("[1,2,]", "[1,2]"), ("{a:1,}", "{\"a\":1}"), ("{'a b':1,\"c\":2}", "{\"a b\":1,\"c\":2}"),
        ("{$_a1: 1, caf\u{e9}: 2, \\u0061b: 3}", "{\"$_a1\":1,\"caf\u{e9}\":2,\"ab\":3}"),
        ("{null: null, true: true, Infinity: 1}", "{\"null\":null,\"true\":true,\"Infinity\":1}"),
        ("// a\n/* b * / **/ 1 // c", "1"), ("\u{feff}\u{a0}\u{2028}\t\u{b}\u{c}1\u{2029}", "1"),
        ("{a:{b:[{c:1}]}}", "{\"a\":{\"b\":[{\"c\":1}]}}"),
    ])
    func structure(text: String, expected: String) { #expect(parsed(text) == expected) }

    @Test(arguments: [
        ("0", "0"), ("-0", "0"), ("+1", "1"), ("42", "42"), ("-42", "-42"), (".5", "0.5"), ("5.", "5"),
        ("-.5e1", "-5"), ("1e3", "1000"), ("1E+3", "1000"), ("25e-1", "2.5"), ("0x1F", "31"), ("-0xff", "-255"),
        ("0X10", "16"), ("Infinity", "inf"), ("-Infinity", "-inf"), ("+NaN", "nan"),
        ("9223372036854775807", "9223372036854775807"), ("9223372036854775808", "9.223372036854776e+18"),
        ("-9223372036854775808", "-9223372036854775808"), ("1e400", "inf"),
        ("0xFFFFFFFFFFFFFFFF", "1.8446744073709552e+19"),
    ])
    func numbers(text: String, expected: String) { #expect(parsed(text) == expected) }

    @Test(arguments: [
        ("'it''s'", "4: `'` after the end of the value; expected nothing but comments here"),
        ("'a\"b'", "\"a\"b\""), ("\"a'b\"", "\"a'b\""), (#"'\'\"\\\/'"#, "\"'\"\\/\""),
        (#"'\b\f\n\r\t\v\0'"#, "\"\u{8}\u{c}\n\r\t\u{b}\0\""), (#"'\x41\u0042\q'"#, "\"ABq\""),
        (#"'\xe9\u00e9'"#, "\"\u{e9}\u{e9}\""), (#"'\uD83D\uDE00'"#, "\"\u{1f600}\""),
        ("'a\\\nb\\\r\nc\\\u{2028}d'", "\"abcd\""), ("'\u{2028}\u{1f600}'", "\"\u{2028}\u{1f600}\""),
        ("'a\nb'", "0: the string that begins here is not closed on its line; expected a ' at its end"),
        ("'a", "0: the string that begins here is not closed on its line; expected a ' at its end"),
        ("'a\\", "0: the string that begins here is not closed on its line; expected a ' at its end"),
        (#"'\1'"#, "1: octal escapes are not JSON5; use \\x and two hexadecimal digits"),
        (#"'\01'"#, "1: octal escapes are not JSON5; use \\x and two hexadecimal digits"),
        (#"'\x4'"#, "1: an escape that is too short; expected 2 hexadecimal digits"),
        (#"'\uD83D'"#, "1: half of a surrogate pair; write both halves, as in \\uD83D\\uDE00"),
        (#"'\uDE00\uD83D'"#, "1: half of a surrogate pair; write both halves, as in \\uD83D\\uDE00"),
    ])
    func strings(text: String, expected: String) { #expect(parsed(text) == expected) }

    @Test(arguments: [
        ("", "0: the end of the file instead of a value; expected a string, number, true, false, null, `{` or `[`"),
        ("}", "0: `}` instead of a value; expected a string, number, true, false, null, `{` or `[`"),
        ("{} {}", "3: `{` after the end of the value; expected nothing but comments here"),
        ("{a:1 b:2}", "5: `b` after the value of \"a\"; expected a comma or `}`"),
        ("{a 1}", "3: `1` after the key \"a\"; expected a colon and a value"),
        ("{,}", "1: `,` instead of a key; expected a key or `}`"),
        ("{1:1}", "1: `1` instead of a key; expected a key or `}`"),
        ("[1 2]", "3: `2` after an element; expected a comma or `]`"),
        ("[,]", "1: `,` instead of a value; expected a string, number, true, false, null, `{` or `[`"),
        ("[{", "1: the object that begins here is never closed; expected a `}` at its end"),
        ("{a:[1,", "3: the array that begins here is never closed; expected a `]` at its end"),
        ("/* a", "0: the comment that begins here is never closed; expected a */ at its end"),
        ("[yes]", "1: the word \"yes\" without quotes; put a string in quotes"),
        ("{a: 10s}", "4: `s` inside a number; use a number alone, or a string in quotes such as \"500ms\""),
        ("127.0.0.1", "0: `.` inside a number; use a number alone, or a string in quotes such as \"500ms\""),
        ("010", "0: a number with a leading zero; leave the zero out; hexadecimal begins with 0x"),
        ("0x", "0: \"0x\" is no number; expected digits"), (".", "0: \".\" is no number; expected digits"),
        ("1e", "0: an exponent without digits; write it as in 1e3"),
        ("-a", "0: a sign without a number; expected digits after it"),
        ("-", "0: \"-\" is no number; expected digits"),
        ("{\u{202e}a: 1}", "1: the character U+202E instead of a key; expected a key or `}`"),
        ("{a\\x: 1}", "3: `x` after a backslash in a key; expected \\u and four hexadecimal digits"),
        ("{\\u0020a: 1}", "1: this character is not allowed in an unquoted key; put the key in quotes"),
    ])
    func mistakes(text: String, expected: String) { #expect(parsed(text) == expected) }

    @Test func bytesThatAreNotUTF8AreFound() {
        #expect(throws: JSON5SyntaxError.self) { try JSON5Parser.parse([0x22, 0x61, 0xc3, 0x22]) }
        #expect(throws: JSON5SyntaxError.self) { try JSON5Parser.parse([0x22, 0xed, 0xa0, 0x80, 0x22]) }
    }

    @Test func depthAndSizeAreBounded() {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        #expect(parsed(nested(JSON5Parser.Limit.depth)).hasPrefix("[["))
        #expect(
            parsed(nested(JSON5Parser.Limit.depth + 1)) == "64: nested deeper than 64 levels; use a flatter structure")
        #expect(parsed(String(repeating: "[", count: 100_000)).hasPrefix("64: nested"))
        let large = String(repeating: " ", count: JSON5Parser.Limit.bytes)
        #expect(parsed(large + "1") == "0: the file has 1048577 bytes; at most 1048576 are allowed")
    }
}
