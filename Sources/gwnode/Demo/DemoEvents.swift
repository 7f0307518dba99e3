import Gateway

/// Tells what changed from one status of the cluster to the next, one line for each event.
struct DemoEvents {
    private var last: StatusDocument?

    mutating func lines(for status: StatusDocument) -> [String] {
        defer { last = status }
        guard let last else { return [] }
        return leadership(last, status) + virtualAddresses(last, status) + nodes(last, status)
            + backends(last, status) + configuration(last, status)
    }

    private func leadership(_ old: StatusDocument, _ new: StatusDocument) -> [String] {
        guard old.leader != new.leader || old.term != new.term else { return [] }
        guard let leader = new.leader else { return new.quorum || !old.quorum ? [] : ["no quorum: nobody leads"] }
        return ["elected: \(name(leader, new)) leads term \(new.term)"]
    }

    private func virtualAddresses(_ old: StatusDocument, _ new: StatusDocument) -> [String] {
        new.virtualAddresses.compactMap { address in
            let before = old.virtualAddresses.first { $0.address == address.address }?.holder
            guard before != address.holder else { return nil }
            guard let holder = address.holder else { return "VIP withdrawn: nobody holds \(address.address)" }
            return "VIP moved: \(name(holder, new)) holds \(address.address)"
        }
    }

    private func nodes(_ old: StatusDocument, _ new: StatusDocument) -> [String] {
        new.nodes.compactMap { node in
            let before = old.nodes.first { $0.id == node.id }
            guard let before, before.alive != node.alive else { return nil }
            return node.alive ? "node back: \(node.name) (pid \(node.pid ?? 0))" : "node lost: \(node.name)"
        }
    }

    /// One backend serves in several upstreams of the demo, which do not all notice at once: it is down from the
    /// first that calls it down until all call it up.
    private func backends(_ old: StatusDocument, _ new: StatusDocument) -> [String] {
        let (downBefore, downNow) = (downBackends(old), downBackends(new))
        let down = downNow.filter { downBefore[$0.key] == nil }.sorted { $0.key < $1.key }
        let up = downBefore.keys.filter { downNow[$0] == nil }.sorted()
        return down.map { "backend down: \($0.key) (\($0.value))" } + up.map { "backend up: \($0)" } + modes(old, new)
    }

    /// With the reason.
    private func downBackends(_ status: StatusDocument) -> [String: String] {
        let down = status.upstreams.flatMap(\.backends).filter { !$0.healthy }
        return Dictionary(down.map { ($0.address, $0.reason) }) { first, _ in first }
    }

    private func modes(_ old: StatusDocument, _ new: StatusDocument) -> [String] {
        new.upstreams.flatMap { upstream in
            let known = old.upstreams.first { $0.name == upstream.name }?.backends ?? []
            return upstream.backends.compactMap { backend -> String? in
                let before = known.first { $0.address == backend.address }
                guard let before, before.mode != backend.mode else { return nil }
                return "backend \(backend.mode): \(backend.address) in \(upstream.name)"
            }
        }
    }

    private func configuration(_ old: StatusDocument, _ new: StatusDocument) -> [String] {
        old.revision == new.revision ? [] : ["configuration: revision \(new.revision) is in force"]
    }

    private func name(_ id: UInt64, _ status: StatusDocument) -> String {
        status.nodes.first { $0.id == id }?.name ?? "node \(id)"
    }
}
