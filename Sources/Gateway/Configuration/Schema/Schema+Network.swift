import Posix

extension Schema where Value == IPAddress {
    static var ipAddress: Schema {
        let noun = "an address such as \"192.0.2.10\" or \"2001:db8::10\""
        return text(noun) { text throws(TextFault) in
            guard let address = IPAddress(text) else {
                throw TextFault(wrong: "\(quoted(text)) is no IP address", right: "use \(noun)")
            }
            return address
        }
    }
}

extension Schema where Value == SocketAddress {
    /// A numeric address and a port other than 0.
    static var socketAddress: Schema {
        let noun = "an address and port such as \"192.0.2.10:8080\" or \"[2001:db8::10]:8080\""
        return text(noun) { text throws(TextFault) in
            if let address = SocketAddress(text), address.port > 0 { return address }
            if let named = HostPort(parsing: text), named.numericAddress == nil {
                throw TextFault(
                    wrong: "\(quoted(named.host)) is a name, and names are not resolved here",
                    right: "use \(noun)")
            }
            throw TextFault(wrong: "\(quoted(text)) is no address and port", right: "use \(noun)")
        }
    }
}

extension Schema where Value == HostPort {
    static var hostPort: Schema {
        let noun = "a host and port such as \"gw1.example.org:8101\" or \"192.0.2.11:8101\""
        return text(noun) { text throws(TextFault) in
            guard let endpoint = HostPort(parsing: text) else {
                throw TextFault(wrong: "\(quoted(text)) is no host and port", right: "use \(noun)")
            }
            return endpoint
        }
    }
}

extension HostPort {
    /// Parses `name:port`, `IPv4:port` or `[IPv6]:port` with a port other than 0.
    package init?(parsing text: String) {
        if let address = SocketAddress(text) {
            guard address.port > 0 else { return nil }
            self.init(address)
            return
        }
        guard let colon = text.lastIndex(of: ":"), isHostName(text[..<colon]) else { return nil }
        let digits = text[text.index(after: colon)...]
        guard digits.utf8.allSatisfy({ 0x30...0x39 ~= $0 }), let port = UInt16(digits), port > 0 else { return nil }
        self.init(host: text[..<colon].lowercased(), port: port)
    }
}

extension Schema where Value == HostPattern {
    static var hostPattern: Schema {
        let noun = "a host name such as \"example.org\" or \"*.example.org\", without a port, or \"*\""
        return text(noun) { text throws(TextFault) in
            if text == "*" { return .any }
            let lower = text.lowercased()
            if lower.hasPrefix("*."), isHostName(lower.dropFirst(2)) { return .wildcard(String(lower.dropFirst(2))) }
            if isHostName(lower[...]) { return .exact(lower) }
            if let address = IPAddress(lower) { return .exact(address.isIPv4 ? "\(address)" : "[\(address)]") }
            throw TextFault(wrong: "\(quoted(text)) is no host name", right: "use \(noun)")
        }
    }
}

/// One or more labels of letters, digits and inner hyphens (RFC 1123 section 2.1; underscores occur in practice) of
/// which the last is not a number, since that would be an IPv4 address (RFC 3986 section 3.2.2).
private func isHostName(_ text: Substring) -> Bool {
    let labels = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard 1...253 ~= text.utf8.count, let last = labels.last, !last.allSatisfy({ 0x30...0x39 ~= $0 }) else {
        return false
    }
    return labels.allSatisfy { label in
        1...63 ~= label.count && label.first != UInt8(ascii: "-") && label.last != UInt8(ascii: "-")
            && label.allSatisfy { $0.isASCIILetterOrDigit || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") }
    }
}

extension Schema where Value == String {
    /// The path prefix of a route, in the normal form in which requests are compared with it.
    static var routePath: Schema {
        let noun = "a path such as \"/\" or \"/api\""
        return text(noun) { text throws(TextFault) in
            guard text.utf8.first == UInt8(ascii: "/"), text.utf8.count <= 1024 else {
                throw TextFault(wrong: "\(quoted(text)) is no path", right: "use \(noun)")
            }
            if text == "/" { return text }
            let segments = text.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
            if segments.last == "" {
                throw TextFault(
                    wrong: "\(quoted(text)) ends with a slash",
                    right: "leave it out: a path matches whole segments, so \"/api\" does not match \"/apis\"")
            }
            if segments.contains(where: { $0 == "" || $0 == "." || $0 == ".." }) {
                throw TextFault(
                    wrong: "\(quoted(text)) has an empty segment, `.` or `..`",
                    right: "write the path that requests have after normalisation")
            }
            guard segments.allSatisfy(isNormalSegment) else {
                throw TextFault(
                    wrong: "\(quoted(text)) has a character that no normalised path has",
                    right: "write others than letters, digits and -._~!$&'()*+,;=:@ as %XX with capital digits")
            }
            return text
        }
    }

    /// The path, and query if need be, of a request that gwnode itself makes.
    static var requestTarget: Schema {
        let noun = "a path such as \"/health\" of at most 1024 visible ASCII characters"
        return text(noun) { text throws(TextFault) in
            let bytes = text.utf8
            guard bytes.first == UInt8(ascii: "/"), bytes.count <= 1024,
                bytes.allSatisfy({ 0x21...0x7e ~= $0 && $0 != UInt8(ascii: "#") })
            else { throw TextFault(wrong: "\(quoted(text)) is no path", right: "use \(noun)") }
            return text
        }
    }

    /// The name of a server, in lower case and without a port.
    static var serverName: Schema {
        let noun = "a host name such as \"api.example.org\""
        return text(noun) { text throws(TextFault) in
            guard isHostName(text[...]) else {
                throw TextFault(wrong: "\(quoted(text)) is no host name", right: "use \(noun)")
            }
            return text.lowercased()
        }
    }

    /// A `Host` field value: a host and perhaps a port.
    static var hostField: Schema {
        let noun = "a host such as \"example.org\" or \"example.org:8080\""
        return text(noun) { text throws(TextFault) in
            guard isHostName(text[...]) || IPAddress(text)?.isIPv4 == true || HostPort(parsing: text) != nil else {
                throw TextFault(wrong: "\(quoted(text)) is no host", right: "use \(noun)")
            }
            return text
        }
    }
}

/// Whether a segment consists of `pchar` (RFC 3986 section 3.3) and escapes only what has to be escaped.
private func isNormalSegment(_ segment: Substring) -> Bool {
    let bytes = Array(segment.utf8)
    var index = 0
    while index < bytes.count {
        if bytes[index] != UInt8(ascii: "%") {
            guard isPathCharacter(bytes[index]) else { return false }
            index += 1
            continue
        }
        guard index + 2 < bytes.count, bytes[(index + 1)...(index + 2)].allSatisfy(isCapitalHexDigit) else {
            return false
        }
        let value = UInt8(String(decoding: bytes[(index + 1)...(index + 2)], as: UTF8.self), radix: 16)!
        guard value != 0, !value.isASCIILetterOrDigit, !"-._~".utf8.contains(value) else { return false }
        index += 3
    }
    return true
}

private func isPathCharacter(_ byte: UInt8) -> Bool {
    byte.isASCIILetterOrDigit || "-._~!$&'()*+,;=:@".utf8.contains(byte)
}

private func isCapitalHexDigit(_ byte: UInt8) -> Bool {
    0x30...0x39 ~= byte || UInt8(ascii: "A")...UInt8(ascii: "F") ~= byte
}

extension Schema where Value == ClosedRange<Int> {
    /// One HTTP status or a range of them.
    static var statuses: Schema {
        let noun = "a status such as \"200\" or a range such as \"200-399\", within 100 to 599"
        return text(noun, write: { "\"\($0.lowerBound)-\($0.upperBound)\"" }) { text throws(TextFault) in
            let bounds = text.split(separator: "-", omittingEmptySubsequences: false).map { part in
                part.utf8.count == 3 ? Int(part) : nil
            }
            guard 1...2 ~= bounds.count, let low = bounds[0], let high = bounds[bounds.count - 1],
                100...599 ~= low, 100...599 ~= high, low <= high
            else { throw TextFault(wrong: "\(quoted(text)) is no status or range", right: "use \(noun)") }
            return low...high
        }
    }
}
