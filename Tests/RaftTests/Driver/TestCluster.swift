import Posix
import Raft
import Synchronization
import Testing

/// A state machine that remembers its commands, and shows the test what it has.
final class JournalHost: ConsensusHost {
    /// The commands applied, in order. Read by the test.
    final class Journal: Sendable {
        let commands = Mutex<[[UInt8]]>([])
        let infos = Mutex<[NodeID: [UInt8]]>([:])
        let notes = Mutex<[NodeID: [[UInt8]]]>([:])
        let restored = Mutex<Int>(0)
        let failure = Mutex<RaftNodeError?>(nil)
    }

    private let journal: Journal
    private let board: EventBoard
    private let node: RaftNode<JournalHost>

    init(journal: Journal, board: EventBoard, node: RaftNode<JournalHost>) {
        self.journal = journal
        self.board = board
        self.node = node
        journal.commands.withLock { $0 = [] }
    }

    /// The number of commands applied before this one.
    func apply(_ command: [UInt8], at position: LogPosition) -> Int {
        journal.commands.withLock { commands in
            commands.append(command)
            return commands.count - 1
        }
    }

    func snapshotEncoder() -> @Sendable () -> [UInt8] {
        let commands = journal.commands.withLock { $0 }
        return {
            var writer = ByteWriter()
            writer.append(UInt32(commands.count))
            for command in commands { writer.append(lengthPrefixed: command) }
            return writer.bytes
        }
    }

    func restore(_ state: [UInt8], through index: LogIndex) throws(RestoreFailure) {
        do throws(MalformedBytes) {
            var reader = ByteReader(state)
            var commands: [[UInt8]] = []
            for _ in 0..<(try reader.readUInt32()) { commands.append(try reader.readLengthPrefixed(upTo: 1 << 20)) }
            try reader.expectEnd()
            journal.commands.withLock { $0 = commands }
            journal.restored.withLock { $0 += 1 }
        } catch {
            throw RestoreFailure("\(error)")
        }
    }

    func turn(_ view: TurnView) -> HostTurn {
        board.notify()
        return HostTurn(deadline: .distantFuture)
    }

    func surrendered(lease term: Term) { node.leaseWithdrawn(term) }

    func received(info: [UInt8], from node: NodeID, at now: Instant) { journal.infos.withLock { $0[node] = info } }
    func received(note: [UInt8], from node: NodeID) { journal.notes.withLock { $0[node, default: []].append(note) } }
}

/// Real nodes on loopback in this process, each with a directory that outlives it.
final class TestCluster {
    typealias Node = RaftNode<JournalHost>

    let board = EventBoard()
    let directory = TemporaryDirectory()
    let members: [NodeID]
    var options: (inout RaftNodeOptions) -> Void = { _ in }
    private(set) var nodes: [NodeID: Node] = [:]
    private(set) var journals: [NodeID: JournalHost.Journal] = [:]
    private var addresses: [NodeID: SocketAddress] = [:]

    init(_ count: UInt64) { members = (1...count).map(NodeID.init) }

    deinit { stopAll() }

    func makeOptions(_ id: NodeID) -> RaftNodeOptions {
        var result = RaftNodeOptions(
            cluster: "test", id: id, listen: addresses[id] ?? SocketAddress(ip: IPAddress(v4: 0x7f00_0001), port: 0),
            dataDirectory: "\(directory.path)/\(id)", founding: Membership(voters: members), peers: [])
        result.timing = .cautious
        options(&result)
        return result
    }

    /// Starts the named nodes, all of them without names, and tells every running node where all are.
    func start(_ ids: NodeID...) throws {
        for id in ids.isEmpty ? members : ids {
            let node = try Node(makeOptions(id))
            let journal = JournalHost.Journal()
            nodes[id] = node
            journals[id] = journal
            addresses[id] = node.listenAddress
            let board = board
            try node.start(makeHost: { JournalHost(journal: journal, board: board, node: $0) }) { error in
                journal.failure.withLock { $0 = error }
                board.notify()
            }
        }
        for node in nodes.values { node.connect(to: book) }
    }

    var book: [PeerAddress] { addresses.map { PeerAddress(id: $0.key, address: $0.value.description) } }

    func stop(_ id: NodeID, graceful: Bool = false) {
        nodes.removeValue(forKey: id)?.stop(graceful: graceful)
    }

    func stopAll() {
        for id in nodes.keys.sorted() { stop(id) }
    }

    /// The node that leads, waited for.
    func leader(sourceLocation: SourceLocation = #_sourceLocation) throws -> NodeID {
        var found: NodeID?
        let isElected = board.wait {
            found = nodes.first { $0.value.status?.raft.role == .leader }?.key
            return found != nil
        }
        try #require(isElected, "a leader is elected", sourceLocation: sourceLocation)
        return found!
    }

    func follower() throws -> NodeID {
        let leader = try leader()
        return nodes.keys.sorted().first { $0 != leader }!
    }

    /// Proposes at a node and waits for the outcome.
    func propose(_ command: [UInt8], at id: NodeID, seconds: UInt64 = 10) async -> Result<Int, ProposalError> {
        let node = nodes[id]!
        return await withCheckedContinuation { continuation in
            node.propose(command, timeout: .seconds(seconds)) { continuation.resume(returning: $0) }
        }
    }

    func read(at id: NodeID, seconds: UInt64 = 10) async -> Result<LogIndex, ReadError> {
        let node = nodes[id]!
        return await withCheckedContinuation { continuation in
            node.readBarrier(timeout: .seconds(seconds)) { continuation.resume(returning: $0) }
        }
    }

    func commands(at id: NodeID) -> [[UInt8]] { journals[id]!.commands.withLock { $0 } }
}
