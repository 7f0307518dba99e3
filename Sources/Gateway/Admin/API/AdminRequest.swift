import Posix

/// A request to the admin API, read in full and within its limits.
package struct AdminRequest: Hashable, Sendable {
    package var method: HTTPMethod
    /// The path's segments, percent-decoded: `/v1/config` is `["v1", "config"]`.
    package var path: [String]
    /// Percent-decoded; of a repeated name the last one counts.
    package var query: [String: String]
    package var fields: Fields
    package var body: [UInt8]
    /// Who asks: an address, or a user of this machine.
    package var author: String

    /// The header fields that the API looks at.
    package struct Fields: Hashable, Sendable {
        package var host: String?
        package var authorization: String?
        package var origin: String?
        package var fetchSite: String?
        package var ifMatch: String?
        package var ifNoneMatch: String?
        package var lastEventID: String?

        package init(
            host: String? = nil, authorization: String? = nil, origin: String? = nil, fetchSite: String? = nil,
            ifMatch: String? = nil,
            ifNoneMatch: String? = nil
        ) {
            self.host = host
            self.authorization = authorization
            self.origin = origin
            self.fetchSite = fetchSite
            self.ifMatch = ifMatch
            self.ifNoneMatch = ifNoneMatch
        }
    }

    package init(
        method: HTTPMethod, path: [String], query: [String: String] = [:], fields: Fields = Fields(),
        body: [UInt8] = [], author: String
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.fields = fields
        self.body = body
        self.author = author
    }

    /// Splits a path at its slashes and decodes each segment; nil when an encoding is broken or not UTF-8.
    package static func segments(_ path: some StringProtocol) -> [String]? {
        var segments: [String] = []
        for segment in path.split(separator: "/") {
            guard let decoded = percentDecoded(segment) else { return nil }
            segments.append(decoded)
        }
        return segments
    }

    /// Reads `a=1&b` as a query; nil when an encoding is broken or not UTF-8.
    package static func query(_ text: some StringProtocol) -> [String: String]? {
        var query: [String: String] = [:]
        for pair in text.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = percentDecoded(parts[0]), let value = percentDecoded(parts.count == 2 ? parts[1] : "")
            else { return nil }
            query[name] = value
        }
        return query
    }

    private static func percentDecoded(_ text: some StringProtocol) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(hexValue), let low = rest.popFirst().flatMap(hexValue) else {
                return nil
            }
            bytes.append(high << 4 | low)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func hexValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        case _: nil
        }
    }
}
