import Gateway
import Testing

@Suite struct LineDifferenceTests {
    @Test func unifiedFormShowsChangesWithTheirContext() {
        let old = "a\nb\nc\nd\ne\nf\ng\nh\n"
        let new = "a\nb\nc\nd\nE\nf\ng\nh\ni\n"
        #expect(
            LineDifference(from: old, to: new).unified(from: "1", to: "2") == """
                --- 1
                +++ 2
                @@ -2,7 +2,8 @@
                 b
                 c
                 d
                -e
                +E
                 f
                 g
                 h
                +i

                """)
    }

    @Test func farChangesAreHunksOfTheirOwn() {
        let old = (1...30).map { "\($0)\n" }.joined()
        let new = old.replacing("\n3\n", with: "\nthree\n").replacing("\n28\n", with: "\n")
        let hunks = LineDifference(from: old, to: new).unified(from: "a", to: "b").split(separator: "\n")
            .filter { $0.hasPrefix("@@") }
        #expect(hunks == ["@@ -1,6 +1,6 @@", "@@ -25,6 +25,5 @@"])
    }

    @Test(arguments: [("", ""), ("a\n", "a\n"), ("a", "a\n"), ("a\nb\n", "a\nb")])
    func equalLinesAreNoDifference(_ pair: (old: String, new: String)) {
        let difference = LineDifference(from: pair.old, to: pair.new)
        #expect(difference.isEmpty && difference.unified(from: "a", to: "b").isEmpty)
    }

    /// Whatever the texts: without the added lines it is the old one, without the removed lines the new one, and no
    /// shorter script exists.
    @Test(arguments: 0..<300) func scriptIsRightAndShortest(seed: Int) {
        var random = RandomSource(seed: UInt64(seed))
        func text() -> [String] {
            (0..<Int.random(in: 0...9, using: &random)).map { _ in "abc".randomElement(using: &random)!.description }
        }
        let (old, new) = (text(), text())
        let lines = LineDifference(from: old.joined(separator: "\n"), to: new.joined(separator: "\n")).lines
        var (left, right, edits) = ([String](), [String](), 0)
        for line in lines {
            switch line {
            case .kept(let line):
                left.append(String(line))
                right.append(String(line))
            case .removed(let line):
                left.append(String(line))
                edits += 1
            case .added(let line):
                right.append(String(line))
                edits += 1
            }
        }
        #expect(left == old && right == new, "seed \(seed)")
        #expect(edits == old.count + new.count - 2 * longestCommonSubsequence(old, new), "seed \(seed)")
    }

    @Test func tooManyEditsAreShownAsReplacement() {
        let count = LineDifference.maximumEdits
        let old = (0..<count).map { "old \($0)" }.joined(separator: "\n")
        let new = (0..<count).map { "new \($0)" }.joined(separator: "\n")
        let lines = LineDifference(from: "same\n\(old)", to: "same\n\(new)").lines
        #expect(lines.count == 1 + 2 * count && lines[0] == .kept("same"))
        #expect(lines[1] == .removed("old 0") && lines[count + 1] == .added("new 0"))
    }

    private func longestCommonSubsequence(_ old: [String], _ new: [String]) -> Int {
        var row = [Int](repeating: 0, count: new.count + 1)
        for line in old {
            var diagonal = 0
            for (index, other) in new.enumerated() {
                let above = row[index + 1]
                row[index + 1] = line == other ? diagonal + 1 : max(above, row[index])
                diagonal = above
            }
        }
        return row[new.count]
    }
}
