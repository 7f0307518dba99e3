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

    private func backends(_ old: StatusDocument, _ new: StatusDocument) -> [String] {
        // One backend serves in several upstreams of the demo; it is told once.
        var told: Set<String> = []
        var lines: [String] = []
        for upstream in new.upstreams {
            let known = old.upstreams.first { $0.name == upstream.name }?.backends ?? []
            for backend in upstream.backends {
                guard let before = known.first(where: { $0.address == backend.address }) else { continue }
                if before.mode != backend.mode {
                    lines.append("backend \(backend.mode): \(backend.address) in \(upstream.name)")
                }
                guard before.healthy != backend.healthy, told.insert(backend.address).inserted else { continue }
                lines.append("backend \(backend.healthy ? "up" : "down"): \(backend.address) (\(backend.reason))")
            }
        }
        return lines
    }

    private func configuration(_ old: StatusDocument, _ new: StatusDocument) -> [String] {
        old.revision == new.revision ? [] : ["configuration: revision \(new.revision) is in force"]
    }

    private func name(_ id: UInt64, _ status: StatusDocument) -> String {
        status.nodes.first { $0.id == id }?.name ?? "node \(id)"
    }
}
