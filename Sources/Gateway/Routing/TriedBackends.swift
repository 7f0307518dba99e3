/// The backends, as indices within their upstream, that one request has been sent to.
package struct TriedBackends: Hashable, Sendable {
    /// A request goes to at most this many backends.
    package static let capacity = 4
    private var indices = SIMD4<Int32>(repeating: -1)
    package private(set) var count = 0

    package init() {}

    @inline(__always)
    package func contains(_ backend: Int32) -> Bool { any(indices .== SIMD4(repeating: backend)) }

    @inline(__always)
    package mutating func insert(_ backend: Int32) {
        precondition(count < TriedBackends.capacity, "the exchange limits the attempts of a request")
        indices[count] = backend
        count += 1
    }
}
