import Posix

/// What workers need for an upstream's sticky sessions: plain memory, owned by the `UpstreamTable` that holds it.
struct StickyTable {
    let cookie: UnsafeBufferPointer<UInt8>
    /// For each backend, in the upstream's order.
    private let tokens: UnsafeBufferPointer<StickyToken>
    private let lines: UnsafeBufferPointer<UnsafeBufferPointer<UInt8>>

    init(_ sessions: StickySessions, upstream: String, backends: [BackendSlot]) {
        cookie = copied(Array(sessions.cookie.utf8))
        let tokens = backends.map { sessions.token(upstream: upstream, backend: $0.address) }
        self.tokens = copied(tokens)
        lines = copied(tokens.map { copied(Array(sessions.fieldLine($0).utf8)) })
    }

    func deallocate() {
        cookie.deallocate()
        tokens.deallocate()
        for line in lines { line.deallocate() }
        lines.deallocate()
    }

    /// The backend that the request's cookie names; -1 when it names none, or none that there still is.
    func backend(
        _ head: RequestHead, of source: UnsafeRawBufferPointer, _ fields: borrowing FieldTable
    ) -> Int32 {
        for index in 0..<head.fieldCount {
            let field = fields[index]
            guard field.known == .unknown, StickyTable.isCookie(source[field.name.range]) else { continue }
            let value = UnsafeRawBufferPointer(rebasing: source[field.value.range])
            guard let token = StickyToken(cookie: UnsafeRawBufferPointer(cookie).bytes, in: value.bytes),
                let backend = tokens.firstIndex(of: token)
            else { continue }
            return Int32(backend)
        }
        return -1
    }

    /// The field line that sets the cookie of a backend.
    @inline(__always)
    func line(_ backend: Int32) -> UnsafeRawBufferPointer { UnsafeRawBufferPointer(lines[Int(backend)]) }

    private static func isCookie(_ name: Slice<UnsafeRawBufferPointer>) -> Bool {
        let expected: StaticString = "cookie"
        guard name.count == expected.utf8CodeUnitCount else { return false }
        for offset in 0..<name.count
        where name[name.startIndex + offset] | 0x20 != (expected.utf8Start + offset).pointee {
            return false
        }
        return true
    }
}
