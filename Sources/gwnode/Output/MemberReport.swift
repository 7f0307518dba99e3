import Gateway

/// The members as text for people.
package enum MemberReport {
    package static func table(_ members: [StatusDocument.Node]) -> TextTable {
        var table = TextTable(columns: [.left, .right, .left, .left, .left, .right, .left, .left])
        let titles = ["NODE", "ID", "MEMBER", "CHANGE", "ROLE", "TRAILS", "RAFT", "ADMIN"]
        table.add(titles.map { .init($0, .heading) })
        for node in members {
            table.add([
                .init(node.name), .init("\(node.id)"), .init(node.member.rawValue),
                .init(node.transition?.rawValue ?? (node.drained ? "drained" : "-")),
                .init(node.role.rawValue, node.alive ? .plain : .bad),
                .init(node.trailing.map { "\($0)" } ?? "-"), .init(node.raft), .init(node.admin),
            ])
        }
        return table
    }

    /// As they are to be written in a node file.
    package static func peers(_ members: [StatusDocument.Node]) -> String {
        let lines = members.filter { $0.transition != .leaving }.map { node in
            "{ id: \(node.id), name: \"\(node.name)\", raft: \"\(node.raft)\", admin: \"\(node.admin)\" },"
        }
        return "peers: [\n" + lines.map { "    \(Terminal.printable($0))\n" }.joined() + "],\n"
    }
}
