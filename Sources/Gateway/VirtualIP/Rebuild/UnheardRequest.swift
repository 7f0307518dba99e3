/// What a client sent before its node died, or right after, and sends again because nobody acknowledged it.
///
/// The dead node may have carried it out nevertheless: acknowledgements are sent a little later than requests are used, and
/// may be lost with the machine. So it counts as a request that was sent to a backend once already.
package enum UnheardRequest {
    /// Longer ones end their connection.
    package static let limit = 64 << 10

    private static let headEnd = Array("\r\n\r\n".utf8)
    private static let idempotentMethods = HTTPMethod.allCases.filter(\.isIdempotent).map {
        Array("\($0)".uppercased().utf8) + [UInt8(ascii: " ")]
    }

    /// Whether it may be carried out here: it is either one head alone, of a request that may be repeated (RFC 9110,
    /// section 9.2.2), or not yet a whole head, with which nobody can have done anything.
    package static func mayBeTaken(_ bytes: [UInt8]) -> Bool {
        guard let end = firstHeadEnd(bytes) else { return true }
        return end == bytes.count && idempotentMethods.contains { bytes.starts(with: $0) }
    }

    private static func firstHeadEnd(_ bytes: [UInt8]) -> Int? {
        guard bytes.count >= headEnd.count else { return nil }
        let start = (0...bytes.count - headEnd.count).first { place in
            bytes[place] == headEnd[0] && bytes[place..<place + headEnd.count].elementsEqual(headEnd)
        }
        return start.map { $0 + headEnd.count }
    }
}
