/// The name of a key: 1 to `KeySpace.Limit.nameBytes` letters, digits, `-`, `_`, `.` and `/`, with something other than
/// `.` and `..` on both sides of each slash, so that it is a path of a URL as it stands.
package struct KeyName: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let text: String

    /// Nil when `text` is no such name.
    package init?(_ text: String) {
        guard 1...KeySpace.Limit.nameBytes ~= text.utf8.count, text.utf8.allSatisfy(Self.isAllowed) else { return nil }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.allSatisfy({ !["", ".", ".."].contains($0) }) else { return nil }
        self.text = text
    }

    /// Whether a key can begin with `text`.
    package static func isPrefix(_ text: String) -> Bool {
        text.utf8.count <= KeySpace.Limit.nameBytes && text.utf8.allSatisfy(isAllowed)
    }

    /// What a name has to be, for people who gave another one.
    package static let rule =
        "1 to \(KeySpace.Limit.nameBytes) letters, digits, `-`, `_`, `.` and `/`, as in deploy/lock"

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
            UInt8(ascii: "/"):
            true
        case _: false
        }
    }

    package static func < (left: KeyName, right: KeyName) -> Bool { left.text < right.text }
    package var description: String { text }
}

/// Counts the changes to the key space; the first one is 1. A key has the revision of its last change.
package struct KeyRevision: Hashable, Comparable, Sendable, CustomStringConvertible {
    package var number: UInt64
    package init(_ number: UInt64) { self.number = number }
    /// Before the first change.
    package static let none = KeyRevision(0)
    package var next: KeyRevision { KeyRevision(number + 1) }
    package static func < (left: KeyRevision, right: KeyRevision) -> Bool { left.number < right.number }
    package var description: String { String(number) }
}

extension KeyName: BinaryCodable {
    init(from reader: inout BinaryReader) throws(DecodingFault) {
        let start = reader.offset
        guard let name = KeyName(try reader.readText("key", limit: KeySpace.Limit.nameBytes)) else {
            throw .invalid(what: "key", offset: start)
        }
        self = name
    }

    func write(to writer: inout BinaryWriter) { writer.write(text) }
}
