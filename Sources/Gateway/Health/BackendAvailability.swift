/// Whether a node sends new requests to a backend.
package enum BackendAvailability {
    /// - Parameters:
    ///   - own: this node's own verdict: what it can not reach itself it avoids, whatever the others say.
    ///   - hasQuorum: without one the agreed verdict may be old and is not asked.
    package static func takesRequests(_ record: BackendRecord, own: HealthVerdict, hasQuorum: Bool) -> Bool {
        guard record.mode == .enabled, own.status != .down else { return false }
        return !hasQuorum || record.agreedVerdict.status != .down
    }
}
