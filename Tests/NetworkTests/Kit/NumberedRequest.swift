import Glibc

/// A request with a number of its own. Client and backend know from that what has to come back.
struct NumberedRequest {
    enum Kind: String, CaseIterable {
        /// An answer of some bytes.
        case small
        /// An answer of a megabyte.
        case big
        /// A body of a quarter of a megabyte, by POST.
        case upload
        /// One that the backend never answers.
        case silent
        /// A body of some bytes, by POST.
        case order
    }

    static let uploadBytes = 256 << 10
    private static let orderBytes = 20
    private static let bigBytes = 1 << 20
    private static let pattern = (0..<bigBytes + 256).map { UInt8(truncatingIfNeeded: $0 &* 167 &+ $0 >> 8) }

    var kind: Kind
    var number: UInt32

    var path: String { "/numbered/\(kind.rawValue)/\(number)" }

    init(_ kind: Kind, _ number: UInt32) {
        self.kind = kind
        self.number = number
    }

    init?(path: Substring) {
        let parts = path.split(separator: "/")
        guard parts.count == 3, parts[0] == "numbered", let kind = Kind(rawValue: String(parts[1])),
            let number = UInt32(parts[2])
        else { return nil }
        self.init(kind, number)
    }

    private var method: String {
        switch kind {
        case .small, .big, .silent: "GET"
        case .upload, .order: "POST"
        }
    }

    /// What the client sends.
    var bytes: [UInt8] {
        let head = "\(method) \(path) HTTP/1.1\r\nHost: test\r\n"
        switch kind {
        case .small, .big, .silent: return Array((head + "\r\n").utf8)
        case .upload, .order: return Array((head + "Content-Length: \(uploaded.count)\r\n\r\n").utf8) + uploaded
        }
    }

    /// What may be carried out once at the most.
    var uploaded: ArraySlice<UInt8> {
        switch kind {
        case .small, .big, .silent: []
        case .upload: part(Self.uploadBytes)
        case .order: part(Self.orderBytes)
        }
    }

    /// The body of the answer.
    var answer: ArraySlice<UInt8> {
        switch kind {
        case .small, .upload, .order, .silent: ArraySlice(path.utf8)
        case .big: part(Self.bigBytes)
        }
    }

    static func isSame(_ some: [UInt8], _ others: ArraySlice<UInt8>) -> Bool {
        guard some.count == others.count else { return false }
        return others.withUnsafeBytes { others in
            others.isEmpty || memcmp(some, others.baseAddress!, others.count) == 0
        }
    }

    /// Bytes that only a few numbers have in common.
    private func part(_ count: Int) -> ArraySlice<UInt8> {
        let first = Int(number % 251)
        return Self.pattern[first..<first + count]
    }
}
