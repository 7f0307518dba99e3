import Posix

/// A change of one backend in the text of a gateway file, which leaves every other byte as the operator wrote it.
package enum BackendEdit: Hashable, Sendable {
    /// Adds the backend if there is none, and gives it the weight if one is stated.
    case put(BackendKey, weight: Int?)
    case remove(BackendKey)

    package static let weights = 1...1000

    package enum Refusal: Error, Hashable, Sendable {
        case unknownUpstream(String, known: [String])
        case unknownBackend(BackendKey, known: [String])
        /// The text is no gateway file whose backends can be found.
        case unreadable
    }

    package var backend: BackendKey {
        switch self {
        case .put(let backend, _), .remove(let backend): backend
        }
    }

    /// The text with the change made; nil when it says so already. Whether the result is a good gateway file is for
    /// its reader to judge.
    package func applied(to source: String) throws(Refusal) -> String? {
        let text = BackendText(source)
        let list = try text.backends(of: backend.upstream)
        switch self {
        case .put(let backend, let weight):
            guard let present = list.elements.first(where: { $0.address == backend.address }) else {
                return text.replacing(text.addition(Self.text(of: backend.address, weight), to: list))
            }
            guard let weight, present.weight?.value != weight else { return nil }
            let replacement: BackendText.Replacement =
                if let range = present.weight?.range {
                    .init(range: range, text: "\(weight)")
                } else {
                    .init(range: present.addressEnd..<present.addressEnd, text: ", weight: \(weight)")
                }
            return text.replacing([replacement])
        case .remove(let backend):
            guard let present = list.elements.first(where: { $0.address == backend.address }) else {
                throw .unknownBackend(backend, known: list.elements.compactMap { $0.address?.description })
            }
            return text.replacing([text.removal(of: present.range)])
        }
    }

    private static func text(of address: SocketAddress, _ weight: Int?) -> String {
        "{ address: \"\(address)\"\(weight.map { ", weight: \($0)" } ?? "") }"
    }
}

/// The text of a gateway file and where the backends are in it.
private struct BackendText {
    struct List {
        var range: Range<Int>
        var elements: [Element]
    }

    struct Element {
        var range: Range<Int>
        var address: SocketAddress?
        var addressEnd: Int
        var weight: (value: Int?, range: Range<Int>)?
    }

    struct Replacement {
        var range: Range<Int>
        var text: String
    }

    let bytes: [UInt8]

    init(_ source: String) { bytes = Array(source.utf8) }

    func backends(of upstream: String) throws(BackendEdit.Refusal) -> List {
        guard let root = try? JSON5Parser.parse(bytes), let upstreams = root["upstreams"]?.elements else {
            throw .unreadable
        }
        guard let found = upstreams.first(where: { $0["name"]?.string == upstream }) else {
            throw .unknownUpstream(upstream, known: upstreams.compactMap { $0["name"]?.string })
        }
        guard let list = found["backends"], let elements = list.elements else { throw .unreadable }
        return List(range: list.range, elements: try elements.map(Self.element))
    }

    private static func element(_ value: JSON5Value) throws(BackendEdit.Refusal) -> Element {
        guard let address = value["address"] else { throw .unreadable }
        let weight = value["weight"].map { ($0.integer, $0.range) }
        return Element(
            range: value.range, address: address.string.flatMap { SocketAddress($0) },
            addressEnd: address.range.upperBound,
            weight: weight)
    }

    func replacing(_ replacements: [Replacement]) -> String {
        var result = bytes
        for one in replacements.sorted(by: { $0.range.lowerBound > $1.range.lowerBound }) {
            result.replaceSubrange(one.range, with: one.text.utf8)
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// At the end of the list: on a line of its own where the last element is on one.
    func addition(_ element: String, to list: List) -> [Replacement] {
        let end = list.range.upperBound - 1
        guard let last = list.elements.last else { return [Replacement(range: end..<end, text: element)] }
        let hasComma = commaFollows(last.range.upperBound, before: end)
        let indentation = last.range.lowerBound - lineStart(of: last.range.lowerBound)
        let closing = lineStart(of: end)
        guard isBlank(lineStart(of: last.range.lowerBound)..<last.range.lowerBound), isBlank(closing..<end),
            closing > last.range.upperBound
        else {
            let place = last.range.upperBound
            return [Replacement(range: place..<place, text: ", \(element)")]
        }
        let lead = String(decoding: bytes[(last.range.lowerBound - indentation)..<last.range.lowerBound], as: UTF8.self)
        let line = Replacement(range: closing..<closing, text: "\(lead)\(element),\n")
        let place = last.range.upperBound
        return hasComma ? [line] : [Replacement(range: place..<place, text: ","), line]
    }

    /// The element with its comma, and with its line where nothing else is on that but a comment.
    func removal(of element: Range<Int>) -> Replacement {
        let start = lineStart(of: element.lowerBound)
        let ownsStart = isBlank(start..<element.lowerBound)
        var end = skippingBlanks(from: element.upperBound)
        if end < bytes.count, bytes[end] == UInt8(ascii: ",") { end = skippingBlanks(from: end + 1) }
        guard ownsStart else { return Replacement(range: element.lowerBound..<end, text: "") }
        if bytes[end...].starts(with: "//".utf8) { end = bytes[end...].firstIndex(of: 0x0a) ?? bytes.count }
        guard end < bytes.count, bytes[end] == 0x0a else {
            return Replacement(range: element.lowerBound..<end, text: "")
        }
        return Replacement(range: start..<end + 1, text: "")
    }

    private func lineStart(of offset: Int) -> Int {
        (bytes[..<offset].lastIndex(of: 0x0a).map { $0 + 1 }) ?? 0
    }

    private func isBlank(_ range: Range<Int>) -> Bool { bytes[range].allSatisfy { $0 == 0x20 || $0 == 0x09 } }

    private func skippingBlanks(from offset: Int) -> Int {
        bytes[offset...].firstIndex { $0 != 0x20 && $0 != 0x09 && $0 != 0x0d } ?? bytes.count
    }

    /// Whether a comma stands between an element and the end of its list, comments left out.
    private func commaFollows(_ offset: Int, before end: Int) -> Bool {
        var rest = bytes[offset..<end]
        while let byte = rest.first {
            if byte == UInt8(ascii: ",") { return true }
            if rest.starts(with: "//".utf8) {
                rest = rest.drop { $0 != 0x0a }
            } else if rest.starts(with: "/*".utf8) {
                rest = rest.dropFirst(2)
                while !rest.isEmpty, !rest.starts(with: "*/".utf8) { rest.removeFirst() }
                rest = rest.dropFirst(2)
            } else {
                rest.removeFirst()
            }
        }
        return false
    }
}

extension JSON5Value {
    fileprivate var range: Range<Int> { offset..<end }

    fileprivate var elements: [JSON5Value]? {
        if case .array(let elements) = content { elements } else { nil }
    }

    fileprivate var string: String? {
        if case .string(let text) = content { text } else { nil }
    }

    fileprivate var integer: Int? {
        if case .number(let number) = content { number.integer } else { nil }
    }

    fileprivate subscript(_ key: String) -> JSON5Value? {
        guard case .object(let members) = content else { return nil }
        return members.first { $0.key == key }?.value
    }
}
