/// How an upstream chooses the backend of a request.
package enum Algorithm: String, Hashable, Sendable, CaseIterable, Codable {
    /// Smooth weighted round robin; weights default to 1.
    case roundRobin = "round-robin"
    /// Each request independently at random, in proportion to the weights, which default to 1.
    case random
    /// Smooth weighted round robin in which every backend must state its weight.
    case weighted
    /// The backend with the fewest requests under way for its weight.
    case leastConnections = "least-connections"
    /// The same backend for the same client address, on every gateway node (Maglev).
    case ipHash = "ip-hash"
}
