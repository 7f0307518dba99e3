import Gateway
import Posix
import Raft
import Synchronization

/// Keeps the addresses of the peers in step with the replicated members and, at the leader, Raft's membership in step
/// with what the operator wants. Confined to the control thread.
///
/// What is to be done is found anew from the view each time, so that a step that failed or was lost is made again.
final class MembershipKeeper {
    private let node: NodeConfiguration
    private let view: SharedClusterView
    private let raft: RaftNode<ClusterHost>
    private let mover: AddressMover
    /// Takes where the other nodes are reached.
    private let setPeers: ([SocketAddress]) -> Void
    private let lastKnown: LastKnownMembers
    private var remembered: [PeerAddress]
    private var known: MemberDirectory?
    private let isStepUnderWay = StepFlag()

    private var nextHandover = Instant.zero

    private static let forgetTimeout = Nanoseconds.seconds(2)
    /// From one handover to the next, so that a cluster whose other nodes come and go is not made worse by moves.
    private static let handoverPause = Nanoseconds.seconds(3)
    /// A peer that answered within this is able to lead.
    private static let silenceLimit = Nanoseconds.seconds(1)

    init(
        node: NodeConfiguration, view: SharedClusterView, raft: RaftNode<ClusterHost>, mover: AddressMover,
        setPeers: @escaping ([SocketAddress]) -> Void
    ) {
        self.node = node
        self.view = view
        self.raft = raft
        self.mover = mover
        self.setPeers = setPeers
        lastKnown = LastKnownMembers(dataDirectory: node.dataDirectory)
        remembered = lastKnown.load()
    }

    /// To be called after every event and from time to time.
    func update() {
        guard let view = view.current else { return }
        let directory = MemberDirectory(of: view, node)
        if directory != known {
            known = directory
            raft.connect(to: addressBook(of: directory, view), removed: directory.removed)
        }
        if let status = raft.status { setPeers(status.peers.compactMap(\.resolved)) }
        guard !isStepUnderWay.isSet else { return }
        let now = Instant.now()
        let answering = view.raft.peers.filter { now - $0.lastContact < Self.silenceLimit }.map(\.id)
        let able = Set(view.connected).intersection(answering)
        if let step = MembershipStep.next(for: view.state, leader: view.raft, able: able) { carryOut(step, at: now) }
    }

    /// With what was known before the restart, for members whose records are in entries that are not committed yet: all
    /// nodes may have started at once, and these may be the ones that the others need for a majority.
    private func addressBook(of directory: MemberDirectory, _ view: ClusterView) -> [PeerAddress] {
        var book = directory.addressBook(without: node.node.id)
        let missing = Set(view.raft.membership.everyone).subtracting(book.map(\.id))
        book += remembered.filter { missing.contains($0.id) }
        if !view.state.members.isEmpty, book != remembered {
            lastKnown.save(book)
            remembered = book
        }
        return book
    }

    private func carryOut(_ step: MembershipStep, at now: Instant) {
        if case .handOver = step {
            guard now >= nextHandover else { return }
            nextHandover = now + Self.handoverPause
        }
        let flag = isStepUnderWay
        flag.set(true)
        switch step {
        case .change(let change):
            raft.changeMembership(change) { refusal in
                flag.set(false)
                note(change, refusal)
            }
        case .handOver(let heir):
            Log.info("members: this node is drained or to be removed; node \(heir) is asked to lead")
            mover.handOver(to: heir) { flag.set(false) }
        case .forget(let nodes):
            raft.propose(Command.forgetMembers(nodes, at: .now()).encoded(), timeout: Self.forgetTimeout) { _ in
                flag.set(false)
            }
        }
    }
}

/// A refusal is no news: the step is tried again while it is wanted.
private func note(_ change: MembershipChange, _ refusal: MembershipRefusal?) {
    if let refusal { return Log.debug("members: \(change) has to wait: \(refusal)") }
    switch change {
    case .addLearner(let node):
        Log.info("members: node \(node) becomes a learner", [.event("member-added"), .node(node.number)])
    case .addVoter(let node):
        Log.info(
            "members: node \(node) becomes a voter once it has caught up", [.event("member-added"), .node(node.number)])
    case .promote(let node):
        Log.info("members: the learner \(node) becomes a voter", [.event("member-promoted"), .node(node.number)])
    case .remove(let node):
        Log.info("members: node \(node) is removed", [.event("member-removed"), .node(node.number)])
    }
}

/// Set by the control thread, cleared by whichever thread ends the step.
private final class StepFlag: Sendable {
    private let flag = Atomic(false)

    var isSet: Bool { flag.load(ordering: .acquiring) }
    func set(_ value: Bool) { flag.store(value, ordering: .releasing) }
}

extension MemberDirectory {
    /// As `node` knows it; without a view only from its file.
    init(of view: ClusterView?, _ node: NodeConfiguration) {
        let nobody = Membership(voters: [])
        self.init(
            node: node, state: view?.state ?? ClusterState(), membership: view?.raft.membership ?? nobody,
            committed: view?.raft.committedMembership ?? nobody)
    }
}
