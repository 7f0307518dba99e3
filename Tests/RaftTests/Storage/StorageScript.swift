import Raft

/// A recorded life of one node's storage, long enough for several segments, snapshots of both kinds and a truncated
/// log; with what storage has to hold after each step.
struct StorageScript {
    enum Step {
        case persist(WriteTicket)
        case snapshot(Snapshot)
    }

    struct Content: Equatable {
        var hardState = HardState()
        var snapshot: Snapshot?
        /// Those after the snapshot.
        var entries: [Entry] = []
    }

    private(set) var steps: [Step] = []
    /// What holds before the first step, after it, and so on.
    private(set) var contents = [Content()]
    private var log: [Entry] = []
    private var ticket: UInt64 = 0

    static let standard: StorageScript = {
        var script = StorageScript()
        script.persist(state: HardState(term: Term(1), vote: NodeID(1)))
        for _ in 0..<6 { script.append(3, term: 1, bytes: 40) }
        script.persist(state: HardState(term: Term(2), vote: nil))
        script.replace(from: 15, count: 4, term: 2)
        script.saveSnapshot(through: 10)
        for _ in 0..<4 { script.append(2, term: 2, bytes: 700) }
        script.install(index: 60, term: 3)
        for _ in 0..<5 { script.append(2, term: 3, bytes: 150) }
        script.saveSnapshot(through: 66)
        script.persist(state: HardState(term: Term(4), vote: NodeID(3)))
        script.append(1, term: 4, bytes: 30)
        return script
    }()

    private mutating func persist(state: HardState? = nil, snapshot: Snapshot? = nil, entries: [Entry] = []) {
        ticket += 1
        let id = WriteTicket.ID(ticket)
        steps.append(.persist(WriteTicket(id: id, hardState: state, snapshot: snapshot, entries: entries)))
        var content = contents[contents.count - 1]
        if let state { content.hardState = state }
        if let snapshot {
            content.snapshot = snapshot
            log = []
        }
        if let first = entries.first { log = log.filter { $0.index < first.index } + entries }
        content.entries = log.filter { $0.index > content.snapshot?.index ?? .zero }
        contents.append(content)
    }

    private mutating func append(_ count: UInt64, term: UInt64, bytes: Int) {
        let first = (log.last?.index ?? contents[contents.count - 1].snapshot?.index ?? .zero).next
        replace(from: first.number, count: count, term: term, bytes: bytes)
    }

    private mutating func replace(from first: UInt64, count: UInt64, term: UInt64, bytes: Int = 20) {
        let entries = (first..<first + count).map { index in
            let id = ProposalID(node: NodeID(1), boot: 9, sequence: index)
            let command = [UInt8](repeating: UInt8(truncatingIfNeeded: index | 1), count: bytes)
            return Entry(term: Term(term), index: LogIndex(index), payload: .command(id, command))
        }
        persist(entries: entries)
    }

    private mutating func install(index: UInt64, term: UInt64) {
        persist(state: HardState(term: Term(term), vote: nil), snapshot: makeSnapshot(index, term))
    }

    private mutating func saveSnapshot(through index: UInt64) {
        let term = log.first { $0.index.number == index }!.term
        let snapshot = makeSnapshot(index, term.number)
        steps.append(.snapshot(snapshot))
        var content = contents[contents.count - 1]
        content.snapshot = snapshot
        content.entries = log.filter { $0.index > snapshot.index }
        contents.append(content)
    }

    private func makeSnapshot(_ index: UInt64, _ term: UInt64) -> Snapshot {
        Snapshot(
            index: LogIndex(index), term: Term(term), membership: Membership(voters: [NodeID(1), NodeID(2)]),
            state: [UInt8](repeating: UInt8(index), count: 90))
    }
}
