extension Collection {
    /// As many pieces of `count` elements as it takes; the last one may be shorter.
    package func pieces(of count: Int) -> [SubSequence] {
        precondition(count > 0)
        var pieces: [SubSequence] = []
        var rest = self[...]
        while !rest.isEmpty {
            pieces.append(rest.prefix(count))
            rest = rest.dropFirst(count)
        }
        return pieces
    }
}
