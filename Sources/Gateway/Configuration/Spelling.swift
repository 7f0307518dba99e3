/// Guesses what someone meant to write.
package enum Spelling {
    /// The candidate that is nearest to `word`, nil when none is near: at most one edit for each three characters, and
    /// one for shorter words.
    package static func closest(to word: String, among candidates: some Sequence<String>) -> String? {
        let word = Array(word.lowercased().unicodeScalars.prefix(maximumLength))
        let allowed = min(max(1, word.count / 3), word.count - 1)
        var best: (candidate: String, distance: Int)?
        for candidate in candidates {
            let letters = Array(candidate.lowercased().unicodeScalars.prefix(maximumLength))
            guard abs(letters.count - word.count) <= allowed else { continue }
            let distance = distance(word, letters)
            if distance <= allowed && distance < best?.distance ?? .max { best = (candidate, distance) }
        }
        return best?.candidate
    }

    /// Longer words are compared by their beginning only.
    private static let maximumLength = 64

    /// Insertions, deletions, replacements and swaps of neighbours that turn one into the other (optimal string
    /// alignment distance).
    private static func distance(_ one: [Unicode.Scalar], _ two: [Unicode.Scalar]) -> Int {
        var beforePrevious: [Int] = []
        var previous = Array(0...two.count)
        for i in one.indices {
            var current = [i + 1]
            for j in two.indices {
                let replaced = previous[j] + (one[i] == two[j] ? 0 : 1)
                var best = min(replaced, previous[j + 1] + 1, current[j] + 1)
                if i > 0, j > 0, one[i] == two[j - 1], one[i - 1] == two[j] {
                    best = min(best, beforePrevious[j - 1] + 1)
                }
                current.append(best)
            }
            (beforePrevious, previous) = (previous, current)
        }
        return previous[two.count]
    }
}
