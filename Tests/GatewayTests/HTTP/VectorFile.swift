import Gateway
import Glibc
import Testing

/// One message of a vector file and what must come of it. The format is told in `Tests/Corpus/http/README.md`.
struct MessageVector: Sendable, CustomTestStringConvertible {
    enum Expectation: Sendable {
        case accept([String: String])
        case refuse(status: UInt16, fault: String)
        case incomplete
        case data([UInt8])
        case rest([UInt8])
        case refuseBody(status: UInt16, fault: String)
        case forwards(String)
        case omits(String)
    }

    var name: String
    var section: String
    var method = "GET"
    var message: [UInt8] = []
    var expectations: [Expectation] = []

    var testDescription: String { "\(name) (\(section))" }
}

enum VectorFile {
    struct Malformed: Error, CustomStringConvertible {
        var description: String
    }

    /// Reads a file of `Tests/Corpus/http`.
    static func load(_ name: String) throws -> [MessageVector] { try parse(try lines(of: name)) }

    static func lines(of name: String) throws -> [String] {
        let tests = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let path = "/\(tests)/Corpus/http/\(name)"
        guard let file = fopen(path, "r") else { throw Malformed(description: "\(path) can not be opened") }
        defer { fclose(file) }
        var content: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while case let count = fread(&buffer, 1, buffer.count, file), count > 0 { content += buffer[..<count] }
        let text = String(decoding: content, as: UTF8.self)
        return text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }

    private static func parse(_ lines: [String]) throws -> [MessageVector] {
        var vectors: [MessageVector] = []
        var insideMessage = false
        for line in lines {
            if line.hasPrefix("== ") {
                let parts = line.dropFirst(3).split(separator: "|").map { $0.trimmed() }
                guard parts.count == 2 else { throw Malformed(description: "no section: \(line)") }
                vectors.append(MessageVector(name: parts[0], section: parts[1]))
                insideMessage = true
            } else if line.hasPrefix("=> ") {
                insideMessage = false
                vectors[vectors.count - 1].expectations.append(try expectation(String(line.dropFirst(3))))
            } else if insideMessage, line.hasPrefix("method ") {
                vectors[vectors.count - 1].method = String(line.dropFirst(7))
            } else if insideMessage, line != "." {
                vectors[vectors.count - 1].message += try bytes(line[...])
            } else if !insideMessage, !line.isEmpty, !line.hasPrefix("#") {
                throw Malformed(description: "a line outside of a vector: \(line)")
            }
        }
        return vectors
    }

    private static func expectation(_ text: String) throws -> MessageVector.Expectation {
        let words = text.split(separator: " ", maxSplits: 1).map(String.init)
        let rest = words.count > 1 ? words[1] : ""
        switch words[0] {
        case "accept":
            let pairs = rest.split(separator: " ").map { $0.split(separator: "=", maxSplits: 1).map(String.init) }
            return .accept(Dictionary(uniqueKeysWithValues: pairs.map { ($0[0], $0.count > 1 ? $0[1] : "") }))
        case "refuse", "body-refuse":
            let parts = rest.split(separator: " ").map(String.init)
            guard parts.count == 2, let status = UInt16(parts[0]) else {
                throw Malformed(description: "status and fault are missing: \(text)")
            }
            return words[0] == "refuse"
                ? .refuse(status: status, fault: parts[1]) : .refuseBody(status: status, fault: parts[1])
        case "incomplete": return .incomplete
        case "data": return .data(rest == "." ? [] : try bytes(rest[...]))
        case "rest": return .rest(rest == "." ? [] : try bytes(rest[...]))
        case "forwards": return .forwards(rest)
        case "omits": return .omits(rest)
        default: throw Malformed(description: "unknown expectation: \(text)")
        }
    }

    /// Resolves escapes.
    static func bytes(_ text: Substring) throws -> [UInt8] {
        var result: [UInt8] = []
        var rest = text
        while let character = rest.popFirst() {
            guard character == "\\" else {
                result += Array(String(character).utf8)
                continue
            }
            switch rest.popFirst() {
            case "r": result.append(0x0d)
            case "n": result.append(0x0a)
            case "t": result.append(0x09)
            case "0": result.append(0)
            case "\\": result.append(0x5c)
            case "x":
                guard let byte = UInt8(rest.prefix(2), radix: 16) else { throw Malformed(description: "\\x \(text)") }
                result.append(byte)
                rest = rest.dropFirst(2)
            case "[":
                guard let end = rest.firstIndex(of: "]"), let space = rest.firstIndex(of: " "),
                    let count = Int(rest[..<space])
                else { throw Malformed(description: "\\[ \(text)") }
                let unit = try bytes(rest[rest.index(after: space)..<end])
                for _ in 0..<count { result += unit }
                rest = rest[rest.index(after: end)...]
            default: throw Malformed(description: "unknown escape in \(text)")
            }
        }
        return result
    }
}

extension Substring {
    fileprivate func trimmed() -> String {
        String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }
}
