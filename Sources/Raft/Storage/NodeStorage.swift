import Posix

/// All that one node keeps on disk: identity, write-ahead log, newest snapshot, known peers.
///
///     identity · lock · peers · wal/…wal · snapshots/…snapshot
package struct NodeStorage<D: Disk>: ~Copyable, Sendable {
    package let identity: NodeIdentity
    private let disk: D
    private let directory: String
    private var log: WriteAheadLog<D>
    /// Snapshots of the node's own state are saved through it, beside what goes on here.
    package let snapshots: SnapshotStore<D>
    /// The first failure ever; nothing is written after it.
    private var failure: StorageError?

    private static var logName: String { "wal" }
    static var snapshotsName: String { "snapshots" }

    package struct Recovered: Sendable {
        package var hardState = HardState()
        package var snapshot: Snapshot?
        /// They follow on the snapshot.
        package var entries: [Entry] = []
        package var peers = PeerRegistry()
        /// Where the end of the log was cut off, because its write had not been finished; nobody was told it was done.
        package var tornAt: Int?

        package init() {}
    }

    package struct Owner: Sendable {
        package var cluster: String
        package var node: NodeID
        /// The incarnation of a directory that has to be made first.
        package var newIncarnation: UInt64
        package var created: String

        package init(cluster: String, node: NodeID, newIncarnation: UInt64, created: String) {
            self.cluster = cluster
            self.node = node
            self.newIncarnation = newIncarnation
            self.created = created
        }
    }

    private init(identity: NodeIdentity, disk: D, directory: String, log: consuming WriteAheadLog<D>) {
        self.identity = identity
        self.disk = disk
        self.directory = directory
        self.log = log
        snapshots = SnapshotStore(
            disk: disk, directory: "\(directory)/\(Self.snapshotsName)", incarnation: identity.incarnation)
    }

    /// Opens the data of `owner`, making the directory's content when it is empty. The caller holds its lock.
    package static func open(
        _ directory: String, disk: D, owner: Owner, options: WriteAheadLog<D>.Options = .init(),
        into recovered: inout Recovered
    ) throws(StorageError) -> NodeStorage {
        var identity = try identity(directory, disk, owner)
        do throws(SystemError) {
            // An earlier process may have written its identity and ended before that was durable.
            try disk.syncDirectory(directory)
        } catch { throw .system(error) }
        guard identity.isComplete else {
            let log = try makeLog(directory, disk, identity, options)
            identity.isComplete = true
            try save(identity, directory, disk)
            return NodeStorage(identity: identity, disk: disk, directory: directory, log: log)
        }
        var replay = LogReplay()
        let log = try WriteAheadLog.recover(
            "\(directory)/\(logName)", disk: disk, incarnation: identity.incarnation, options: options, into: &replay)
        var storage = NodeStorage(identity: identity, disk: disk, directory: directory, log: log)
        recovered.hardState = replay.hardState
        recovered.snapshot = try storage.snapshots.load()
        recovered.entries = try storage.join(replay, to: recovered.snapshot)
        recovered.peers = try peers(directory, disk)
        recovered.tornAt = storage.log.tornAt
        return storage
    }

    /// Makes the tickets durable, in their order, with one sync for all that lie between two snapshots.
    package mutating func persist(_ tickets: [WriteTicket]) throws(StorageError) {
        try latched { (self) throws(StorageError) in try self.write(tickets) }
    }

    /// A snapshot through `index` is durable: lets the older ones and the log before it go.
    package mutating func forget(before index: LogIndex) throws(StorageError) {
        try latched { (self) throws(StorageError) in try self.removeCovered(before: index) }
    }

    package mutating func save(_ peers: PeerRegistry) throws(StorageError) {
        try latched { (self) throws(StorageError) in
            do throws(SystemError) {
                try self.disk.replace(PeerRegistry.fileName, in: self.directory, with: peers.encoded())
            } catch { throw .system(error) }
        }
    }

    /// Lets nothing through after the first failure.
    private mutating func latched(
        _ body: (inout NodeStorage) throws(StorageError) -> Void
    ) throws(StorageError) {
        if let failure { throw failure }
        do throws(StorageError) { try body(&self) } catch {
            failure = error
            throw error
        }
    }

    private mutating func write(_ tickets: [WriteTicket]) throws(StorageError) {
        var records: [LogRecord] = []
        for ticket in tickets {
            if let state = ticket.hardState { records.append(.hardState(state)) }
            if let snapshot = ticket.snapshot {
                // The term first: a snapshot of a term that this node has not reached must not be found at a restart.
                try log.append(records)
                try snapshots.save(snapshot)
                records = [.reset(LogPosition(term: snapshot.term, index: snapshot.index))]
            }
            records.append(contentsOf: ticket.entries.lazy.map(LogRecord.entry))
        }
        try log.append(records)
        if let installed = tickets.last(where: { $0.snapshot != nil })?.snapshot {
            try removeCovered(before: installed.index)
        }
    }

    private mutating func removeCovered(before index: LogIndex) throws(StorageError) {
        try snapshots.removeOlder(than: index)
        try log.compact(before: index)
    }

    /// The entries that count after `snapshot`. A log from before a snapshot that the leader sent is reset, which the
    /// crash between the two writes had prevented.
    private mutating func join(_ replay: LogReplay, to snapshot: Snapshot?) throws(StorageError) -> [Entry] {
        switch replay.continuation(after: snapshot) {
        case .entries(let entries):
            return entries
        case .reset:
            if let snapshot { try log.append([.reset(LogPosition(term: snapshot.term, index: snapshot.index))]) }
            return []
        case .missing(let index):
            throw .damaged(
                file: "\(directory)/snapshots", offset: 0,
                problem: "the log begins at entry \(index), but no snapshot holds what was before it")
        }
    }

    /// The identity on disk, or a new one, saved as not complete.
    private static func identity(_ directory: String, _ disk: D, _ owner: Owner) throws(StorageError) -> NodeIdentity {
        guard let bytes = try contents(of: NodeIdentity.fileName, in: directory, disk) else {
            return try newIdentity(directory, disk, owner)
        }
        let identity: NodeIdentity
        do throws(MalformedBytes) { identity = try NodeIdentity.decode(bytes) } catch {
            let file = "\(directory)/\(NodeIdentity.fileName)"
            throw .damaged(file: file, offset: error.offset, problem: "expected \(error.expected)")
        }
        guard identity.cluster == owner.cluster, identity.node == owner.node else {
            throw .mismatch(
                directory: directory,
                problem: "holds the data of node \(identity.node) of cluster '\(identity.cluster)', but this is node "
                    + "\(owner.node) of cluster '\(owner.cluster)'; name another dataDirectory, or correct the node file"
            )
        }
        return identity
    }

    private static func newIdentity(
        _ directory: String, _ disk: D, _ owner: Owner
    ) throws(StorageError) -> NodeIdentity {
        let names: [String]
        do throws(SystemError) { names = try disk.names(in: directory) } catch { throw .system(error) }
        guard !names.contains(logName), !names.contains(snapshotsName) else {
            throw .mismatch(
                directory: directory,
                problem:
                    "holds a log but no file '\(NodeIdentity.fileName)'; restore that file, or empty the directory "
                    + "and let the node join anew")
        }
        let identity = NodeIdentity(
            cluster: owner.cluster, node: owner.node, incarnation: owner.newIncarnation, created: owner.created,
            isComplete: false)
        try save(identity, directory, disk)
        return identity
    }

    static func save(_ identity: NodeIdentity, _ directory: String, _ disk: D) throws(StorageError) {
        do throws(SystemError) {
            try disk.replace(NodeIdentity.fileName, in: directory, with: identity.encoded())
        } catch { throw .system(error) }
    }

    /// The first segment. Also where an earlier try was interrupted: no node has run on what that one left.
    static func makeLog(
        _ directory: String, _ disk: D, _ identity: NodeIdentity, _ options: WriteAheadLog<D>.Options
    ) throws(StorageError) -> WriteAheadLog<D> {
        do throws(SystemError) {
            try disk.createDirectory("\(directory)/\(logName)")
            try disk.createDirectory("\(directory)/\(snapshotsName)")
        } catch { throw .system(error) }
        return try WriteAheadLog.create(
            in: "\(directory)/\(logName)", disk: disk, incarnation: identity.incarnation, options: options)
    }

    private static func peers(_ directory: String, _ disk: D) throws(StorageError) -> PeerRegistry {
        guard let bytes = try contents(of: PeerRegistry.fileName, in: directory, disk) else { return PeerRegistry() }
        do throws(MalformedBytes) { return try PeerRegistry.decode(bytes) } catch {
            let file = "\(directory)/\(PeerRegistry.fileName)"
            throw .damaged(file: file, offset: error.offset, problem: "expected \(error.expected)")
        }
    }

    private static func contents(
        of name: String, in directory: String, _ disk: D
    ) throws(StorageError) -> [UInt8]? {
        do throws(SystemError) {
            guard try disk.names(in: directory).contains(name) else { return nil }
            return try disk.contents(of: "\(directory)/\(name)")
        } catch { throw .system(error) }
    }
}
