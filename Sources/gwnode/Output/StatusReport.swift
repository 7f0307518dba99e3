import Gateway

/// A status as text for people.
package enum StatusReport {
    package static func text(_ status: StatusDocument, coloured: Bool) -> String {
        let verdict = StatusVerdict(status)
        let style: Terminal.Style = verdict.complaints.isEmpty ? .good : .bad
        let last = TextTable.Cell(verdict.line, style)
        let lines =
            [headline(status)] + virtualAddresses(status).lines(coloured: coloured) + [""]
            + nodes(status).lines(coloured: coloured) + olderGuards(status) + movedConnections(status)
            + rebuiltConnections(status) + [""]
            + (status.upstreams.isEmpty ? [] : backends(status.upstreams).lines(coloured: coloured) + [""])
            + queues(status.upstreams, coloured: coloured)
            + [coloured ? last.style.applied(to: last.text) : last.text]
        return lines.map { $0 + "\n" }.joined()
    }

    package static func backends(_ upstreams: [StatusDocument.Upstream]) -> TextTable {
        var table = TextTable(columns: [.left, .left, .left, .right, .left, .left, .right, .left])
        table.add(heading("UPSTREAM", "ALGORITHM", "BACKEND", "WEIGHT", "MODE", "HEALTH", "ACTIVE", "REASON"))
        for upstream in upstreams {
            for (index, backend) in upstream.backends.enumerated() {
                let isFirst = index == 0
                let isEnabled = backend.mode == BackendMode.enabled.rawValue
                table.add([
                    .init(isFirst ? upstream.name : ""), .init(isFirst ? algorithm(of: upstream) : ""),
                    .init(backend.address), .init("\(backend.weight)"),
                    .init(backend.mode, isEnabled ? .plain : .faint),
                    .init(backend.healthy ? "up" : "down", backend.healthy ? .good : .bad),
                    .init("\(backend.activeRequests)"),
                    .init(
                        backend.registration.map { "registered as \($0); \(backend.reason)" } ?? backend.reason, .faint),
                ])
            }
        }
        return table
    }

    /// Where requests wait, and for what.
    private static func queues(_ upstreams: [StatusDocument.Upstream], coloured: Bool) -> [String] {
        let lines = upstreams.compactMap { upstream in
            upstream.queue.map { queue in
                let requests = queue.waiting == 1 ? "1 request waits" : "\(queue.waiting) requests wait"
                return Terminal.printable("upstream \(upstream.name): \(requests): \(queue.reason)")
            }
        }
        if lines.isEmpty { return [] }
        return lines.map { coloured ? Terminal.Style.bad.applied(to: $0) : $0 } + [""]
    }

    /// With the number of backends that its load asks for.
    private static func algorithm(of upstream: StatusDocument.Upstream) -> String {
        guard let desired = upstream.scaling?.desired else { return upstream.algorithm }
        return "\(upstream.algorithm), asks for \(desired)"
    }

    private static func headline(_ status: StatusDocument) -> String {
        let leader = status.leader.map { "leader \(name(of: $0, status))" } ?? "no leader"
        let quorum = status.quorum ? "quorum" : "no quorum"
        let revision = status.revision == 0 ? "no configuration" : "configuration \(status.revision)"
        let view = status.stale ? "; the view of one node, which may be old" : ""
        return Terminal.printable(
            "cluster \(status.cluster): \(leader), term \(status.term), \(quorum), \(revision)\(view)")
    }

    private static func virtualAddresses(_ status: StatusDocument) -> TextTable {
        var table = TextTable(columns: [.left, .left])
        for address in status.virtualAddresses {
            let holder = address.holder.map { TextTable.Cell("held by \(name(of: $0, status))") }
            table.add([.init("virtual address \(address.address)"), holder ?? .init("held by no node", .bad)])
        }
        return table
    }

    private static func nodes(_ status: StatusDocument) -> TextTable {
        let columns: [TextTable.Alignment] = [
            .left, .right, .left, .left, .right, .right, .right, .right, .left, .right, .left, .left, .left,
        ]
        var table = TextTable(columns: columns)
        table.add(
            heading(
                "NODE", "ID", "MEMBER", "ROLE", "TERM", "COMMIT", "APPLIED", "TRAILS", "FENCE", "PID", "VERSION",
                "RAFT",
                "ADMIN"))
        for node in status.nodes {
            let role: Terminal.Style = !node.alive ? .bad : node.role == .leader ? .good : .plain
            let figures: Terminal.Style = node.alive ? .plain : .faint
            func cell(_ value: (some CustomStringConvertible)?) -> TextTable.Cell {
                .init(value?.description ?? "-", figures)
            }
            table.add([
                .init(node.name), cell(node.id), .init(membership(of: node)), .init(node.role.rawValue, role),
                cell(node.term),
                cell(node.commitIndex), cell(node.appliedIndex), cell(node.trailing), cell(node.fence),
                cell(node.pid), cell(node.version), cell(node.raft), cell(node.admin),
            ])
        }
        return table
    }

    /// A line for each node whose guard is of another version than itself, because that was upgraded.
    private static func olderGuards(_ status: StatusDocument) -> [String] {
        status.nodes.compactMap { node in
            guard let keeper = node.guard, let version = node.version, keeper.version != version else { return nil }
            return Terminal.printable("\(node.name) has a guard of version \(keeper.version), process \(keeper.pid)")
        }
    }

    /// A line for each node that took part in a move of open connections.
    private static func movedConnections(_ status: StatusDocument) -> [String] {
        status.nodes.compactMap { node in
            guard let moved = node.movedConnections, moved.hasMoved else { return nil }
            return Terminal.printable(
                "\(node.name) passed \(moved.away) open connections on, took \(moved.here) over and lost \(moved.lost)")
        }
    }

    /// A line for each node that took the addresses of one that died.
    private static func rebuiltConnections(_ status: StatusDocument) -> [String] {
        status.nodes.compactMap { node in
            guard let rebuilt = node.rebuiltConnections, rebuilt.hasRebuilt else { return nil }
            return Terminal.printable(
                "\(node.name) rebuilt \(rebuilt.here) open connections of dead nodes and ended \(rebuilt.ended)")
        }
    }

    private static func membership(of node: StatusDocument.Node) -> String {
        node.member.rawValue + (node.transition.map { ", \($0.rawValue)" } ?? "") + (node.drained ? ", drained" : "")
    }

    private static func heading(_ titles: String...) -> [TextTable.Cell] { titles.map { .init($0, .heading) } }

    private static func name(of id: UInt64, _ status: StatusDocument) -> String {
        status.nodes.first { $0.id == id }?.name ?? "node \(id)"
    }
}
