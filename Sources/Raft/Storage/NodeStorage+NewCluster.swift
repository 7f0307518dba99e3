import Posix

/// What an operator does to the data of a node that is stopped, to begin another incarnation of its cluster. The caller
/// holds the directory's lock.
extension NodeStorage {
    /// Makes the content of an empty directory: a member of a cluster that goes on from `snapshot`. All its members are
    /// to be made from the same snapshot, with the same incarnation.
    ///
    /// The identity is written last. Without it the directory is refused, so a crash in between leaves none that a node
    /// would run on.
    package static func restore(
        _ snapshot: Snapshot, in directory: String, disk: D, owner: Owner, cluster: ClusterIncarnation
    ) throws(StorageError) {
        try expectEmpty(directory, disk)
        let identity = NodeIdentity(
            cluster: owner.cluster, node: owner.node, incarnation: owner.newIncarnation, created: owner.created,
            isComplete: true)
        var log = try makeLog(directory, disk, identity, .init())
        try SnapshotStore(
            disk: disk, directory: "\(directory)/\(snapshotsName)", incarnation: identity.incarnation
        ).save(snapshot)
        try log.append([
            .hardState(HardState(term: snapshot.term)),
            .reset(LogPosition(term: snapshot.term, index: snapshot.index)),
        ])
        do throws(SystemError) {
            try disk.replace(PeerRegistry.fileName, in: directory, with: PeerRegistry(cluster: cluster).encoded())
        } catch { throw .system(error) }
        try save(identity, directory, disk)
    }

    /// Only the lock may be there.
    package static func expectEmpty(_ directory: String, _ disk: D) throws(StorageError) {
        let names: [String]
        do throws(SystemError) { names = try disk.names(in: directory) } catch { throw .system(error) }
        if let present = names.filter({ $0 != DirectoryLock.fileName }).min() {
            throw .mismatch(
                directory: directory,
                problem: "is not empty (there is '\(present)'); stop the node and move what is there away")
        }
    }

    /// Makes this node the only member: everything in its log counts as committed, also what it never heard to be.
    /// `commands` follow on it, then the membership. The incarnation goes first: a crash in between leaves a node that
    /// finds nobody and elects nobody, and the same can be done again.
    package mutating func standAlone(
        after recovered: Recovered, running commands: [[UInt8]], boot: UInt64, cluster: ClusterIncarnation
    ) throws(StorageError) {
        try save(PeerRegistry(cluster: cluster))
        var last = recovered.entries.last?.index ?? recovered.snapshot?.index ?? .zero
        let term = recovered.hardState.term.next
        var payloads = commands.enumerated().map { sequence, command in
            let id = ProposalID(node: identity.node, boot: boot, sequence: UInt64(sequence) + 1)
            return Entry.Payload.command(id, command)
        }
        payloads.append(.membership(Membership(voters: [identity.node])))
        let entries = payloads.map { payload in
            last = last.next
            return Entry(term: term, index: last, payload: payload)
        }
        try persist([
            WriteTicket(
                id: WriteTicket.ID(1), hardState: HardState(term: term), snapshot: nil, entries: entries)
        ])
    }
}
