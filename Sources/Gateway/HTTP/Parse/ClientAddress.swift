import Glibc
import Posix

/// Finds on whose behalf a trusted proxy asks.
package enum ClientAddress {
    /// The last address of the request's path so far that is not a trusted proxy's, read back from `peer`.
    ///
    /// What an untrusted hop claims about those before it counts for nothing. An element that is no address, such as
    /// `unknown`, stands for an untrusted hop that hides: the trusted one behind it is the best that is known.
    package static func find(
        from peer: IPAddress, _ source: UnsafeRawBufferPointer, _ fields: borrowing FieldTable, count: Int,
        in field: ForwardedField, trusted: UnsafeBufferPointer<IPNetwork>
    ) -> IPAddress {
        let bytes = source.bytes
        var path = ForwardedPath(trusted: trusted)
        for index in 0..<count {
            let value = fields[index].value
            switch (field, fields[index].known) {
            case (.xForwardedFor, .forwardedFor): path.addList(bytes, value)
            case (.forwarded, .forwarded): path.addElements(bytes, value)
            default: continue
            }
        }
        return path.client ?? peer
    }
}

/// The hops from the left to the right, of which only the last untrusted one, or the hop behind it, is remembered.
private struct ForwardedPath {
    let trusted: UnsafeBufferPointer<IPNetwork>
    /// Nil when the next hop counts, whoever it is.
    private(set) var client: IPAddress?

    init(trusted: UnsafeBufferPointer<IPNetwork>) { self.trusted = trusted }

    private mutating func add(_ hop: IPAddress?) {
        guard let hop else {
            client = nil
            return
        }
        if client == nil || !trusted.contains(where: { $0.contains(hop) }) { client = hop }
    }

    /// X-Forwarded-For: addresses with commas between them.
    mutating func addList(_ bytes: RawSpan, _ value: ByteSlice) {
        var position = value.start
        while let element = ListElements.next(bytes, at: &position, to: value.end) {
            if !element.isEmpty { add(HopAddress.parse(bytes, element)) }
        }
    }

    /// Forwarded, RFC 7239 section 4: `for=192.0.2.7;proto=http, for="[2001:db8::1]:80"`.
    ///
    /// Read from the left, where quotes open. What does not parse hides the hops up to the end of the field: a client
    /// could have opened a quote in front of what a proxy added.
    mutating func addElements(_ bytes: RawSpan, _ value: ByteSlice) {
        var reader = ForwardedReader(position: value.start, end: value.end)
        while reader.position < reader.end {
            switch reader.element(bytes) {
            case .hop(let node): add(node.flatMap { HopAddress.parse(bytes, $0) })
            case .malformed: return add(nil)
            }
        }
    }
}

private struct ForwardedReader {
    enum Element {
        /// The value of its `for` parameter, without quotes; nil when there is none.
        case hop(ByteSlice?)
        case malformed
    }

    private(set) var position: Int
    let end: Int

    init(position: Int, end: Int) {
        self.position = position
        self.end = end
    }

    /// Reads one element and the comma behind it.
    mutating func element(_ bytes: RawSpan) -> Element {
        var node: ByteSlice?
        while true {
            position = Scan.skipWhitespace(bytes, from: position, to: end)
            let nameEnd = min(Scan.tokenEnd(bytes, from: position), end)
            let name = ByteSlice(from: position, to: nameEnd)
            guard !name.isEmpty, nameEnd < end, Scan.byte(bytes, nameEnd) == UInt8(ascii: "=") else {
                return .malformed
            }
            position = nameEnd + 1
            guard let value = value(bytes) else { return .malformed }
            if Scan.matches(bytes, name, "for") {
                if node != nil { return .malformed }
                node = value
            }
            position = Scan.skipWhitespace(bytes, from: position, to: end)
            if position == end { return .hop(node) }
            let separator = Scan.byte(bytes, position)
            position += 1
            if separator == .comma { return .hop(node) }
            if separator != .semicolon { return .malformed }
        }
    }

    /// A token, or a quoted string without escapes: no address needs any.
    private mutating func value(_ bytes: RawSpan) -> ByteSlice? {
        guard position < end, Scan.byte(bytes, position) == UInt8(ascii: "\"") else {
            let start = position
            position = min(Scan.tokenEnd(bytes, from: position), end)
            return position > start ? ByteSlice(from: start, to: position) : nil
        }
        let start = position + 1
        var index = start
        while index < end, Scan.byte(bytes, index) != UInt8(ascii: "\"") {
            if Scan.byte(bytes, index) == UInt8(ascii: "\\") { return nil }
            index += 1
        }
        guard index < end else { return nil }
        position = index + 1
        return ByteSlice(from: start, to: index)
    }
}

/// An address as proxies write it: `192.0.2.7`, `192.0.2.7:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`.
private enum HopAddress {
    static func parse(_ bytes: RawSpan, _ slice: ByteSlice) -> IPAddress? {
        guard !slice.isEmpty else { return nil }
        if Scan.byte(bytes, slice.start) == UInt8(ascii: "[") {
            guard let close = index(of: UInt8(ascii: "]"), bytes, slice.start + 1, slice.end),
                close + 1 == slice.end || isPort(bytes, close + 1, slice.end)
            else { return nil }
            return numeric(bytes, slice.start + 1, close, AF_INET6)
        }
        guard let colon = index(of: .colon, bytes, slice.start, slice.end) else {
            return numeric(bytes, slice.start, slice.end, AF_INET)
        }
        if isPort(bytes, colon, slice.end), let address = numeric(bytes, slice.start, colon, AF_INET) {
            return address
        }
        return numeric(bytes, slice.start, slice.end, AF_INET6)
    }

    private static func index(of byte: UInt8, _ bytes: RawSpan, _ start: Int, _ end: Int) -> Int? {
        var index = start
        while index < end {
            if Scan.byte(bytes, index) == byte { return index }
            index += 1
        }
        return nil
    }

    /// A colon and one to five digits.
    private static func isPort(_ bytes: RawSpan, _ start: Int, _ end: Int) -> Bool {
        guard start < end, Scan.byte(bytes, start) == .colon, 1...5 ~= end - start - 1 else { return false }
        for index in (start + 1)..<end where Scan.byte(bytes, index) &- 0x30 > 9 { return false }
        return true
    }

    private static func numeric(_ bytes: RawSpan, _ start: Int, _ end: Int, _ family: Int32) -> IPAddress? {
        NumericAddress.parse(bytes, ByteSlice(from: start, to: end), family)
    }
}
