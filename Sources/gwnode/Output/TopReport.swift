import Gateway

/// What `gwnode top` shows of one moment.
package enum TopReport {
    /// No longer and no wider than a screen of `rows` by `columns`; nil for no such bound.
    package static func lines(
        _ live: LiveDocument, coloured: Bool, rows: Int? = nil, columns: Int? = nil
    ) -> [String] {
        var table = TextTable(columns: [.left] + [Alignment](repeating: .right, count: 9))
        table.add(
            ["", "REQUESTS/S", "ERRORS/S", "RETRIES/S", "P50", "P90", "P99", "ACTIVE", "CLIENTS", "SENT/S"].map {
                TextTable.Cell($0, .faint)
            })
        let sums = (
            active: live.nodes.reduce(0) { $0 + $1.activeRequests },
            clients: live.nodes.reduce(0) { $0 + $1.clientConnections },
            sent: live.nodes.reduce(0) { $0 + $1.sentBytesPerSecond }
        )
        table.add(
            row("all", .heading, live.total) + [
                .init("\(sums.active)"), .init("\(sums.clients)"), .init(bytes(sums.sent)),
            ])
        for upstream in live.upstreams { table.add(row("  \(upstream.name)", .plain, upstream.rates) + nothing) }
        for node in live.nodes {
            guard node.known else {
                table.add(
                    [.init(node.name, .bad), .init("not heard of", .bad)]
                        + [TextTable.Cell](repeating: .init(""), count: 8))
                continue
            }
            table.add(
                row(node.name, .heading, node.rates) + [
                    .init("\(node.activeRequests)"), .init("\(node.clientConnections)"),
                    .init(bytes(node.sentBytesPerSecond)),
                ])
            for upstream in node.upstreams where upstream.rates.requestsPerSecond > 0 {
                table.add(row("  \(upstream.name)", .plain, upstream.rates) + nothing)
            }
        }
        let title = TextTable.Cell("gwnode top, \(live.at)", .faint)
        let lines = [coloured ? title.style.applied(to: title.text) : title.text] + table.lines(coloured: coloured)
        return lines.prefix(rows ?? lines.count).map { line in columns.map { clipped(line, to: $0) } ?? line }
    }

    private typealias Alignment = TextTable.Alignment
    private static let nothing = [TextTable.Cell](repeating: .init(""), count: 3)

    private static func row(
        _ name: String, _ style: Terminal.Style, _ rates: LiveDocument.Rates
    ) -> [TextTable.Cell] {
        [
            .init(name, style), .init(figure(rates.requestsPerSecond)),
            .init(figure(rates.errorsPerSecond), rates.errorsPerSecond > 0 ? .bad : .plain),
            .init(figure(rates.retriesPerSecond)), .init(milliseconds(rates.p50Milliseconds)),
            .init(milliseconds(rates.p90Milliseconds)), .init(milliseconds(rates.p99Milliseconds)),
        ]
    }

    /// With three digits that count at least.
    private static func figure(_ value: Double) -> String {
        if value >= 100 || value == value.rounded() { return String(Int64(value.rounded())) }
        let scale: Double = value >= 10 ? 10 : 100
        return "\((value * scale).rounded() / scale)"
    }

    private static func milliseconds(_ value: Double?) -> String {
        guard let value else { return "-" }
        return value < 1000 ? "\(figure(value))ms" : "\(figure(value / 1000))s"
    }

    private static func bytes(_ value: Double) -> String {
        var (value, unit) = (value, 0)
        while value >= 1000, unit < 4 {
            value /= 1000
            unit += 1
        }
        return figure(value) + ["B", "kB", "MB", "GB", "TB"][unit]
    }

    /// Without its end beyond `columns` characters; what changes the colour takes no room and is kept.
    private static func clipped(_ line: String, to columns: Int) -> String {
        var (result, room, isEscape) = ("", columns, false)
        for character in line {
            if character == "\u{1b}" { isEscape = true }
            if isEscape || room > 0 { result.append(character) }
            if !isEscape { room -= 1 }
            if character == "m" { isEscape = false }
        }
        return result
    }
}
