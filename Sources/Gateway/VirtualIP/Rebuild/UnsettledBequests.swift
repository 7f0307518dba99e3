import Posix

/// Connections of killed gateways to whose addresses this node succeeded, until it is known which of them go on. The others
/// end. A pure core.
package struct UnsettledBequests: Sendable {
    /// Until a guard should have said which of them go on.
    package static let patience = Nanoseconds.seconds(6)

    private var records: [ConnectionRecord] = []
    /// When `expire` is due; nil when there are none.
    package private(set) var deadline: Instant?

    package init() {}

    package mutating func add(_ some: [ConnectionRecord], at now: Instant) {
        if some.isEmpty { return }
        records += some
        deadline = now + Self.patience
    }

    /// `flows` go on here, and no more will. There were others, `ended`, of which a record may be known.
    /// - Returns: those that end.
    package mutating func settle(
        goingOn flows: Set<ConnectionRecord.Flow>, ended: [ConnectionRecord.Flow] = []
    ) -> [ConnectionRecord] {
        defer { (records, deadline) = ([], nil) }
        let known = records.filter { !flows.contains($0.flow) }
        let unknown = Set(ended).subtracting(flows).subtracting(known.lazy.map(\.flow))
        return known + ConnectionRecord.all(of: unknown)
    }

    /// - Returns: those that end, as nothing was said of them.
    package mutating func expire(at now: Instant) -> [ConnectionRecord] {
        guard let deadline, now >= deadline else { return [] }
        return settle(goingOn: [])
    }
}
