/// To which backends a node sends new requests.
package struct BackendAvailability: Hashable, Sendable {
    /// What speaks against a backend.
    package enum Objection: Hashable, Sendable, CustomStringConvertible {
        case mode(BackendMode)
        /// What this node can not reach itself it avoids, whatever the others say.
        case ownVerdict(HealthVerdict)
        /// Of the nodes that look.
        case agreedVerdict(HealthVerdict, nodes: Int, of: Int)

        package var description: String {
            switch self {
            case .mode(let mode): "it is \(mode.rawValue)"
            case .ownVerdict(let verdict): "down, seen from this node: \(verdict.reason)"
            case .agreedVerdict(let verdict, let nodes, let all):
                "down, seen from \(nodes) of \(all) nodes: \(verdict.reason)"
            }
        }
    }

    /// How a node stands to a backend.
    package enum Standing: Hashable, Sendable {
        case takesRequests
        /// It is tried all the same: the other nodes reach it, and its upstream has nothing better.
        case lastResort(Objection)
        case takesNone(Objection)
    }

    package private(set) var usable: Set<BackendKey> = []
    private var objections: [BackendKey: Objection] = [:]

    /// Of no configuration.
    package init() {}

    /// - Parameters:
    ///   - own: this node's own verdicts.
    ///   - hasQuorum: without one the agreed verdicts may be old and are not asked.
    package init(
        _ configuration: GatewayConfiguration, _ records: [BackendKey: BackendRecord],
        own: [BackendKey: HealthVerdict], hasQuorum: Bool
    ) {
        for upstream in configuration.upstreams {
            let keys = upstream.backends.map { BackendKey(upstream: upstream.name, address: $0.address) }
            for key in keys {
                objections[key] = Self.objection(
                    to: records[key] ?? BackendRecord(), own: own[key] ?? .unknown, hasQuorum: hasQuorum)
            }
            let fine = keys.filter { objections[$0] == nil }
            usable.formUnion(fine.isEmpty ? keys.filter { isLastResort($0, records, hasQuorum) } : fine)
        }
    }

    private static func objection(to record: BackendRecord, own: HealthVerdict, hasQuorum: Bool) -> Objection? {
        guard record.mode == .enabled else { return .mode(record.mode) }
        if own.status == .down { return .ownVerdict(own) }
        guard hasQuorum else { return nil }
        let agreed = record.agreedVerdict
        guard agreed.status == .down else { return nil }
        return .agreedVerdict(
            agreed, nodes: record.reports.count { $0.verdict.status == .down }, of: record.reports.count)
    }

    /// A node whose cable was out takes a while to find its backends well, and may have the virtual addresses before.
    private func isLastResort(_ key: BackendKey, _ records: [BackendKey: BackendRecord], _ hasQuorum: Bool) -> Bool {
        guard case .ownVerdict = objections[key], hasQuorum else { return false }
        return records[key]?.agreedVerdict.status == .up
    }

    package func standing(of key: BackendKey) -> Standing {
        guard let objection = objections[key] else { return .takesRequests }
        return usable.contains(key) ? .lastResort(objection) : .takesNone(objection)
    }

    /// What the operator should hear of, in the order of the keys: not that a reason has changed.
    package func changes(since former: BackendAvailability) -> [(backend: BackendKey, standing: Standing)] {
        if self == former { return [] }
        return Set(objections.keys).union(former.objections.keys).sorted().compactMap { key in
            let isMentioned = usable.contains(key) || objections[key] != nil
            let isSame =
                (objections[key] == nil) == (former.objections[key] == nil)
                && usable.contains(key) == former.usable.contains(key)
            return isMentioned && !isSame ? (key, standing(of: key)) : nil
        }
    }
}
