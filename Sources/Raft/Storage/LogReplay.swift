/// A record that can not follow on those before it.
package struct ReplayError: Error {
    package let expected: String
}

/// The log as its records tell it, read from the first one kept.
package struct LogReplay {
    package private(set) var hardState = HardState()
    /// What the entries follow on, when the log was reset; `zero` before the first entry ever.
    package private(set) var base = LogPosition.zero
    package private(set) var entries: [Entry] = []

    package init() {}

    package mutating func add(_ record: LogRecord) throws(ReplayError) {
        switch record {
        case .hardState(let state):
            guard state.term >= hardState.term else {
                throw ReplayError(expected: "a term of at least \(hardState.term), not \(state.term)")
            }
            hardState = state
        case .reset(let position):
            base = position
            entries = []
        case .entry(let entry):
            try add(entry)
        }
    }

    private mutating func add(_ entry: Entry) throws(ReplayError) {
        if let first = entries.first, let last = entries.last {
            guard entry.index <= last.index.next else {
                throw ReplayError(expected: "entry \(last.index.next), not \(entry.index)")
            }
            let kept = entry.index > first.index ? Int(entry.index.number - first.index.number) : 0
            entries.removeLast(entries.count - kept)
        } else if base.index > .zero, entry.index != base.index.next {
            throw ReplayError(expected: "entry \(base.index.next), not \(entry.index)")
        }
        entries.append(entry)
    }

    /// How the log goes on after the snapshot that was found with it.
    package enum Continuation: Hashable, Sendable {
        case entries([Entry])
        /// The log is from before the snapshot was installed: none of it counts, and it has to be reset.
        case reset
        /// What was between the snapshot (or the beginning) and this index is missing.
        case missing(before: LogIndex)
    }

    package func continuation(after snapshot: Snapshot?) -> Continuation {
        let end = snapshot.map { LogPosition(term: $0.term, index: $0.index) } ?? .zero
        let start = entries.first?.index.previous ?? base.index
        if start > end.index || (start == end.index && base != end) { return .missing(before: start.next) }
        if start == end.index { return .entries(entries) }
        guard let place = entries.firstIndex(where: { $0.index == end.index }), entries[place].term == end.term else {
            return .reset
        }
        return .entries(Array(entries[(place + 1)...]))
    }
}
