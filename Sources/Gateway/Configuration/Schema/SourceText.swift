/// A file's name and bytes, and the way from an offset to what an editor shows.
struct SourceText {
    let file: String
    let bytes: [UInt8]
    private let lineStarts: [Int]

    init(file: String, bytes: [UInt8]) {
        self.file = file
        self.bytes = bytes
        lineStarts =
            [0]
            + bytes.indices.lazy.filter { index in
                bytes[index] == UInt8(ascii: "\n")
                    || bytes[index] == UInt8(ascii: "\r")
                        && (index + 1 == bytes.count || bytes[index + 1] != UInt8(ascii: "\n"))
            }.map { $0 + 1 }
    }

    /// From 1.
    func line(at offset: Int) -> Int {
        var (low, high) = (0, lineStarts.count)
        while high - low > 1 {
            let middle = (low + high) / 2
            if lineStarts[middle] <= offset { low = middle } else { high = middle }
        }
        return low + 1
    }

    func problem(at offset: Int, path: String, wrong: String, right: String) -> ConfigurationProblem {
        let line = line(at: offset)
        let start = lineStarts[line - 1]
        var before = bytes[start..<min(max(start, offset), bytes.count)]
        if line == 1 && before.starts(with: SourceText.byteOrderMark) { before = before.dropFirst(3) }
        let isASCII = before.allSatisfy { $0 < 0x80 }
        let characters = isASCII ? before.count : String(decoding: before, as: UTF8.self).count
        return ConfigurationProblem(
            file: file, line: line, column: characters + 1, path: path, wrong: wrong, right: right)
    }

    private static let byteOrderMark: [UInt8] = [0xef, 0xbb, 0xbf]
}
