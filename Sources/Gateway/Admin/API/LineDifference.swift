/// What differs between two texts, line by line.
///
/// The shortest script of edits (E. Myers, "An O(ND) Difference Algorithm and Its Variations", 1986), as long as it has
/// at most `maximumEdits` of them; texts that differ more are shown as replaced from the first difference to the last.
package struct LineDifference: Hashable, Sendable {
    package enum Line: Hashable, Sendable {
        case kept(Substring)
        case removed(Substring)
        case added(Substring)
    }

    /// Bounds time and memory: its square is what the search may take.
    package static let maximumEdits = 1000

    package private(set) var lines: [Line]

    package init(from old: String, to new: String) {
        let (old, new) = (Self.split(old), Self.split(new))
        let prefix = zip(old, new).prefix { $0 == $1 }.count
        let suffix = zip(old.dropFirst(prefix).reversed(), new.dropFirst(prefix).reversed()).prefix { $0 == $1 }.count
        let (left, right) = (old[prefix..<old.count - suffix], new[prefix..<new.count - suffix])
        lines = old[..<prefix].map { .kept($0) }
        lines += Self.shortestScript(Array(left), Array(right))
        lines += old.suffix(suffix).map { .kept($0) }
    }

    package var isEmpty: Bool {
        lines.allSatisfy { line in
            switch line {
            case .kept: true
            case .removed, .added: false
            }
        }
    }

    private static func split(_ text: String) -> [Substring] {
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        if lines.last?.isEmpty == true { lines.removeLast() }
        return lines
    }

    private static func shortestScript(_ old: [Substring], _ new: [Substring]) -> [Line] {
        let replaced = old.map { Line.removed($0) } + new.map { Line.added($0) }
        if old.isEmpty || new.isEmpty { return replaced }
        guard let furthest = search(old, new) else { return replaced }
        return trace(furthest, old, new)
    }

    /// For each number of edits, how far along `old` each diagonal reaches with them; nil with too many edits.
    private static func search(_ old: [Substring], _ new: [Substring]) -> [[Int]]? {
        var reached: [[Int]] = []
        for edits in 0...min(old.count + new.count, maximumEdits) {
            var row = [Int](repeating: 0, count: 2 * edits + 1)
            for diagonal in stride(from: -edits, through: edits, by: 2) {
                var x = edits == 0 ? 0 : step(onto: diagonal, reached[edits - 1]).x
                while x < old.count, x - diagonal < new.count, old[x] == new[x - diagonal] { x += 1 }
                row[diagonal + edits] = x
                if x >= old.count, x - diagonal >= new.count { return reached + [row] }
            }
            reached.append(row)
        }
        return nil
    }

    /// The last edit of the best way onto a diagonal, from the row of one edit less: an added line comes from the
    /// diagonal above, a removed one from the diagonal below.
    private static func step(onto diagonal: Int, _ row: [Int]) -> (x: Int, isAddition: Bool) {
        let edits = row.count / 2
        func x(_ diagonal: Int) -> Int? { abs(diagonal) <= edits ? row[diagonal + edits] : nil }
        switch (x(diagonal + 1), x(diagonal - 1)) {
        case (let above?, let below?): return above > below ? (above, true) : (below + 1, false)
        case (let above?, nil): return (above, true)
        case (nil, let below?): return (below + 1, false)
        case (nil, nil): preconditionFailure("diagonal \(diagonal) is out of reach with \(edits + 1) edits")
        }
    }

    private static func trace(_ reached: [[Int]], _ old: [Substring], _ new: [Substring]) -> [Line] {
        var script: [Line] = []
        var (x, y) = (old.count, new.count)
        for row in reached.dropLast().reversed() {
            let (start, isAddition) = step(onto: x - y, row)
            while x > start, y > start - (x - y) {
                x -= 1
                y -= 1
                script.append(.kept(old[x]))
            }
            if isAddition {
                y -= 1
                script.append(.added(new[y]))
            } else {
                x -= 1
                script.append(.removed(old[x]))
            }
        }
        script += old[..<x].reversed().map { .kept($0) }
        return script.reversed()
    }
}

extension LineDifference {
    private static let contextLines = 3

    /// As `diff -u` prints it; empty when nothing differs.
    package func unified(from oldName: String, to newName: String) -> String {
        if isEmpty { return "" }
        var text = "--- \(oldName)\n+++ \(newName)\n"
        var (oldLine, newLine, next) = (1, 1, 0)
        for hunk in hunks() {
            // Between hunks there are kept lines alone.
            oldLine += hunk.lowerBound - next
            newLine += hunk.lowerBound - next
            next = hunk.upperBound
            let (body, oldCount, newCount) = printed(lines[hunk])
            text += "@@ -\(oldLine),\(oldCount) +\(newLine),\(newCount) @@\n\(body)"
            oldLine += oldCount
            newLine += newCount
        }
        return text
    }

    /// Changed lines with their context, joined where they touch.
    private func hunks() -> [Range<Int>] {
        var hunks: [Range<Int>] = []
        for (index, line) in lines.enumerated() {
            if case .kept = line { continue }
            let hunk = max(0, index - Self.contextLines)..<min(lines.count, index + Self.contextLines + 1)
            if let last = hunks.last, hunk.lowerBound <= last.upperBound {
                hunks[hunks.count - 1] = last.lowerBound..<hunk.upperBound
            } else {
                hunks.append(hunk)
            }
        }
        return hunks
    }

    private func printed(_ hunk: ArraySlice<Line>) -> (text: String, oldCount: Int, newCount: Int) {
        var (text, oldCount, newCount) = ("", 0, 0)
        for line in hunk {
            switch line {
            case .kept(let line):
                text += " \(line)\n"
                oldCount += 1
                newCount += 1
            case .removed(let line):
                text += "-\(line)\n"
                oldCount += 1
            case .added(let line):
                text += "+\(line)\n"
                newCount += 1
            }
        }
        return (text, oldCount, newCount)
    }
}
