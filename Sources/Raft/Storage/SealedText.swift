/// A small file that people can read and that notices when a byte of it changed: a title, lines of `key value`, and a
/// last line with the checksum of all before.
package struct SealedText: Hashable, Sendable {
    package struct Line: Hashable, Sendable {
        package var key: String
        package var value: String

        package init(key: String, value: String) {
            self.key = key
            self.value = value
        }
    }

    package var title: String
    package var lines: [Line]

    package init(title: String, lines: [Line]) {
        self.title = title
        self.lines = lines
    }

    package func encoded() -> [UInt8] {
        let body = Array((title + "\n" + lines.map { "\($0.key) \($0.value)\n" }.joined()).utf8)
        return body + Array("checksum \(Self.checksum(of: body))\n".utf8)
    }

    package static func decode(_ bytes: [UInt8], title: String) throws(MalformedBytes) -> SealedText {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw MalformedBytes(at: 0, expected: "UTF-8 text")
        }
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.count >= 3, lines.removeLast().isEmpty, lines[0] == title else {
            throw MalformedBytes(at: 0, expected: "the line '\(title)' and more lines after it")
        }
        let last = lines.removeLast()
        let body = bytes.count - last.utf8.count - 1
        guard last == "checksum \(checksum(of: Array(bytes[..<body])))" else {
            throw MalformedBytes(at: body, expected: "the checksum of the lines before")
        }
        var result = SealedText(title: title, lines: [])
        for line in lines.dropFirst() {
            guard let space = line.firstIndex(of: " ") else {
                throw MalformedBytes(at: 0, expected: "'key value', not '\(line)'")
            }
            let value = String(line[line.index(after: space)...])
            result.lines.append(Line(key: String(line[..<space]), value: value))
        }
        return result
    }

    package func value(_ key: String) throws(MalformedBytes) -> String {
        guard let line = lines.first(where: { $0.key == key }) else {
            throw MalformedBytes(at: 0, expected: "a line '\(key)'")
        }
        return line.value
    }

    private static func checksum(of bytes: [UInt8]) -> String { String(Checksum.of(bytes), radix: 16) }
}
