/// What would be right instead of a name that does not exist.
package enum Suggestion {
    package static func text(for name: String, among known: [String]) -> String {
        if let closest = Spelling.closest(to: name, among: known) { return "did you mean \(closest)?" }
        let shown = known.prefix(8).joined(separator: ", ") + (known.count > 8 ? ", …" : "")
        return known.isEmpty ? "there are none yet" : "there are \(shown)"
    }
}
