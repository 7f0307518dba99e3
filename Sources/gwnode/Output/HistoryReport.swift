import Gateway

/// The kept revisions as text for people.
package enum HistoryReport {
    package static func table(_ history: HistoryDocument) -> TextTable {
        var table = TextTable(columns: [.right, .left, .right, .left])
        table.add(["REVISION", "APPLIED", "BYTES", "BY"].map { .init($0, .heading) })
        for entry in history.revisions {
            let mark = entry.inForce ? "\(entry.author) (in force)" : entry.author
            table.add([.init("\(entry.revision)"), .init(entry.at), .init("\(entry.bytes)"), .init(mark)])
        }
        return table
    }
}

/// A unified difference for a terminal.
package enum DifferenceReport {
    /// As it is for `patch` and the like; for a terminal, characters that could drive it are made visible.
    package static func text(_ difference: String) -> String {
        guard Terminal.isPerson else { return difference }
        return difference.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            let shown = line.split(separator: "\t", omittingEmptySubsequences: false)
                .map { Terminal.printable(String($0)) }.joined(separator: "    ")
            guard Terminal.isColoured else { return shown }
            switch line.first {
            case "+": return Terminal.Style.good.applied(to: shown)
            case "-": return Terminal.Style.bad.applied(to: shown)
            case "@": return Terminal.Style.heading.applied(to: shown)
            case _: return shown
            }
        }.joined(separator: "\n")
    }
}
