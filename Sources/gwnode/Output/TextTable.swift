/// Rows of text in aligned columns.
package struct TextTable: Sendable {
    package enum Alignment: Sendable {
        case left
        case right
    }

    package struct Cell: Hashable, Sendable {
        package var text: String
        package var style: Terminal.Style

        /// Characters that could drive a terminal are made visible.
        package init(_ text: String, _ style: Terminal.Style = .plain) {
            self.text = Terminal.printable(text)
            self.style = style
        }
    }

    private static let gap = "  "

    private let columns: [Alignment]
    private var rows: [[Cell]] = []

    package init(columns: [Alignment]) { self.columns = columns }

    /// `row` has a cell for each column.
    package mutating func add(_ row: [Cell]) {
        precondition(row.count == columns.count, "a row of \(row.count) cells in a table of \(columns.count) columns")
        rows.append(row)
    }

    package func lines(coloured: Bool) -> [String] {
        let widths = columns.indices.map { column in rows.map { $0[column].text.count }.max() ?? 0 }
        return rows.map { row in
            var line = ""
            for (column, cell) in row.enumerated() {
                let padding = String(repeating: " ", count: widths[column] - cell.text.count)
                let text = coloured ? cell.style.applied(to: cell.text) : cell.text
                let isLast = column == row.count - 1
                switch columns[column] {
                case .left: line += text + (isLast ? "" : padding)
                case .right: line += padding + text
                }
                if !isLast { line += Self.gap }
            }
            return line
        }
    }
}
