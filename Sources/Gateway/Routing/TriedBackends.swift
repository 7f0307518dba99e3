/// The backends, as indices within their upstream, that one request has been sent to.
package struct TriedBackends: Hashable, Sendable {
    /// A request goes to at most this many backends.
    package static let capacity = 16
    private var indices = SIMD16<Int16>(repeating: -1)
    package private(set) var count = 0

    package init() {}

    @inline(__always)
    package func contains(_ backend: Int32) -> Bool {
        any(indices .== SIMD16(repeating: Int16(truncatingIfNeeded: backend)))
    }

    @inline(__always)
    package mutating func insert(_ backend: Int32) {
        precondition(count < TriedBackends.capacity, "the exchange limits the attempts of a request")
        indices[count] = Int16(backend)
        count += 1
    }
}
