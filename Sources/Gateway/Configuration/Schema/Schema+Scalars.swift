import Posix

/// An enumeration whose raw values are the words for it in files.
typealias WordChoice = CaseIterable & Hashable & RawRepresentable<String> & Sendable

/// Why a text is not what it should be.
struct TextFault: Error {
    let wrong: String
    let right: String
}

extension Schema {
    /// A string that `parse` understands. `noun` comes with its article, as `a duration such as "500ms"`.
    static func text(
        _ noun: String, write: @escaping @Sendable (Value) -> String = { "\"\($0)\"" },
        parse: @escaping @Sendable (String) throws(TextFault) -> Value
    ) -> Schema {
        Schema(.scalar(noun), write: write) { node, reader in
            guard case .string(let text) = node.content else {
                reader.report(at: node.offset, "found \(node.kind)", "use \(noun)")
                return nil
            }
            do throws(TextFault) {
                return try parse(text)
            } catch {
                reader.report(at: node.offset, error.wrong, error.right)
                return nil
            }
        }
    }
}

extension Schema where Value == Bool {
    static var boolean: Schema {
        Schema(.scalar("true or false")) { node, reader in
            if case .boolean(let value) = node.content { return value }
            reader.report(at: node.offset, "found \(node.kind)", "use true or false")
            return nil
        }
    }
}

extension Schema where Value == Int {
    static func integer(_ range: ClosedRange<Int>) -> Schema {
        let noun = "a whole number from \(range.lowerBound) to \(range.upperBound)"
        return Schema(.scalar(noun)) { node, reader in
            guard case .number(let number) = node.content else {
                reader.report(at: node.offset, "found \(node.kind)", "use \(noun)")
                return nil
            }
            guard let value = number.integer, range.contains(value) else {
                let wrong = number.value.rounded() == number.value ? "out of range" : "not a whole number"
                reader.report(at: node.offset, "\(quoted(number.literal)) is \(wrong)", "use \(noun)")
                return nil
            }
            return value
        }
    }
}

extension Schema where Value == UInt16 {
    static var port: Schema { Schema<Int>.integer(1...65535).map { UInt16($0) } }
}

extension Schema where Value: WordChoice {
    /// One of the words of an enumeration.
    static var choice: Schema {
        let words = Value.allCases.map(\.rawValue)
        let noun = "one of \(words.map(quoted).joined(separator: ", "))"
        return text(noun, write: { quoted($0.rawValue) }) { text throws(TextFault) in
            if let value = Value(rawValue: text) { return value }
            throw TextFault(
                wrong: "\(quoted(text)) is unknown",
                right: SchemaReader.advice(for: text, among: words, else: "use \(noun)"))
        }
    }
}

extension Schema where Value == String {
    /// A name that can stand in a command line, an address and a metric without quotes.
    static var name: Schema {
        let noun = "a name of 1 to 64 letters, digits, `-`, `_` or `.` that begins with a letter or digit"
        return text(noun) { text throws(TextFault) in
            guard isName(text) else { throw TextFault(wrong: "\(quoted(text)) is no name", right: "use \(noun)") }
            return text
        }
    }

    static func isName(_ text: String) -> Bool {
        let bytes = text.utf8
        guard 1...64 ~= bytes.count, bytes.first!.isASCIILetterOrDigit else { return false }
        return bytes.allSatisfy { $0.isASCIILetterOrDigit || "-_.".utf8.contains($0) }
    }

    /// The path of a file or directory.
    static var filePath: Schema {
        let noun = "a path of 1 to 1024 bytes"
        return text(noun) { text throws(TextFault) in
            guard 1...1024 ~= text.utf8.count, !text.utf8.contains(0) else {
                throw TextFault(wrong: "\(quoted(text)) is no path", right: "use \(noun)")
            }
            return text
        }
    }
}

extension Schema where Value == Nanoseconds {
    /// A length of time, written as a whole number and its unit.
    static func duration(from shortest: Nanoseconds, to longest: Nanoseconds) -> Schema {
        let bounds = "from \(durationText(shortest)) to \(durationText(longest))"
        let noun = "a duration \(bounds), such as \"500ms\", \"2s\" or \"1m\""
        return text(noun, write: { quoted(durationText($0)) }) { text throws(TextFault) in
            guard let duration = parseDuration(text) else {
                throw TextFault(wrong: "\(quoted(text)) is no duration", right: "use \(noun)")
            }
            guard shortest <= duration && duration <= longest else {
                throw TextFault(wrong: "\(quoted(text)) is out of range", right: "use a duration \(bounds)")
            }
            return duration
        }
    }
}

private let durationUnits: [(name: String, length: Nanoseconds)] = [
    ("h", .seconds(3600)), ("m", .seconds(60)), ("s", .seconds(1)), ("ms", .milliseconds(1)),
]

/// nil for anything but digits and a unit, and for more than fits.
private func parseDuration(_ text: String) -> Nanoseconds? {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    let suffix = text.dropFirst(digits.count)
    guard let unit = durationUnits.first(where: { $0.name == suffix }), let count = UInt64(digits) else { return nil }
    let (product, overflow) = count.multipliedReportingOverflow(by: unit.length.count)
    return overflow ? nil : Nanoseconds(product)
}

/// The duration in the largest unit that gives a whole number.
private func durationText(_ duration: Nanoseconds) -> String {
    let unit = durationUnits.first { duration.count % $0.length.count == 0 } ?? durationUnits[durationUnits.count - 1]
    return "\(duration.count / unit.length.count)\(unit.name)"
}

extension UInt8 {
    var isASCIILetterOrDigit: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        case _: false
        }
    }
}
