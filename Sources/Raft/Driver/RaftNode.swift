import Glibc
import Posix
import Synchronization

/// One member of a cluster: the consensus thread with its disk, its peers and the host that runs on it.
///
/// All methods may be called from any thread but `stop`, which waits for the consensus thread. Completions are called
/// exactly once, on the consensus thread (or on the caller's, when the request can not be queued), and must not block.
package final class RaftNode<Host: ConsensusHost>: Sendable {
    package typealias ProposalCompletion = @Sendable (Result<Host.Outcome, ProposalError>) -> Void
    package typealias ReadCompletion = @Sendable (Result<LogIndex, ReadError>) -> Void

    enum Request: Sendable {
        case propose([UInt8], deadline: Instant, ProposalCompletion)
        case read(deadline: Instant, ReadCompletion)
        case perform(@Sendable (Host) -> Void)
        case publish([UInt8])
        case note([UInt8], NodeID)
        case connect([PeerAddress], removed: Set<NodeID>)
        case leaseWithdrawn(Term)
        case leaderReleased(NodeID, Term, processGone: Bool)
        case borrowerGone(NodeID, boot: UInt64)
        case stepDown
        case spare(Set<NodeID>)
        case transfer(NodeID?, @Sendable (TransferRefusal?) -> Void)
        case change(MembershipChange, @Sendable (MembershipRefusal?) -> Void)
        case prepareToPause
        case suspend
        case stop(graceful: Bool)
    }

    /// Requests that may wait for one turn of the loop.
    private static var capacity: Int { 1 << 14 }

    /// Where the peers reach this node, with the port that was really taken.
    package let listenAddress: SocketAddress
    package let identity: NodeIdentity
    private let limits: Limits
    private let requests: Mailbox<Request>
    private let isClosed = Atomic(false)
    private let launch: Mutex<NodeResources?>
    private let published: Mutex<RaftStatus?>
    package let times = RaftTimes()
    private let thread = Mutex<Thread?>(nil)
    /// Of the lock and of the listener, while the node runs; another process may go on with copies of them.
    package let descriptors: (lock: Int32, listener: Int32)
    /// What `suspend` came to.
    private let suspension = Mutex<(isSuspended: Bool, continuation: Continuation?)>((false, nil))

    /// Locks and reads the data directory, and listens for the peers. Nothing runs before `start`.
    package init(_ options: RaftNodeOptions) throws(RaftNodeError) {
        let resources = try NodeResources.open(options)
        listenAddress = resources.listenAddress
        identity = resources.storage.identity
        limits = options.limits
        descriptors = (resources.lock.raw, resources.listener.raw)
        published = Mutex(nil)
        do throws(SystemError) { requests = try Mailbox(capacity: Self.capacity) } catch { throw .system(error) }
        launch = Mutex(resources)
    }

    /// Starts the consensus thread, which makes the host and owns it. `ended` is called there when the node has
    /// stopped: with the reason when it had to.
    package func start(
        makeHost: @escaping @Sendable (RaftNode) -> Host, ended: @escaping @Sendable (RaftNodeError?) -> Void
    ) throws(RaftNodeError) {
        do throws(SystemError) {
            let started = try Thread(name: "consensus", stackBytes: 4 << 20) { [self] in
                guard let resources = launch.withLock({ $0.take() }) else { return }
                ended(run(resources, makeHost(self)))
            }
            thread.withLock { $0 = started }
        } catch { throw .system(error) }
    }

    /// Proposes a command at this node, whoever leads. The completion comes when it has been applied here. Whoever
    /// has several may have them taken in one turn, which costs one message a peer and one sync for all: with
    /// `isLast` false nothing is begun before `beginProposed`.
    package func propose(
        _ command: [UInt8], timeout: Nanoseconds, isLast: Bool = true, completion: @escaping ProposalCompletion
    ) {
        guard command.count <= limits.proposalBytes else {
            return completion(.failure(.tooLarge(limit: limits.proposalBytes)))
        }
        if !post(.propose(command, deadline: Instant.now() + timeout, completion), wakes: isLast) {
            completion(.failure(hasStopped ? .stopping : .overloaded))
        }
    }

    /// Begins what was proposed with `isLast` false.
    package func beginProposed() { requests.wakeOwner() }

    /// Completes when this node has applied all that was committed anywhere before this call: a read of the applied
    /// state in the completion is linearizable.
    package func readBarrier(timeout: Nanoseconds, completion: @escaping ReadCompletion) {
        if !post(.read(deadline: Instant.now() + timeout, completion)) {
            completion(.failure(hasStopped ? .stopping : .overloaded))
        }
    }

    /// Runs `body` on the consensus thread. False when too much waits, or the node has stopped: it then does not run.
    @discardableResult
    package func perform(_ body: @escaping @Sendable (Host) -> Void) -> Bool { post(.perform(body)) }

    /// Lets every peer have `info` (at most `FrameBody.infoLimit` bytes) soon; only the newest counts.
    package func publish(info: [UInt8]) { post(.publish(info)) }

    /// Sends `note` (at most `FrameBody.noteLimit` bytes) to the host of one peer. Notes come in the order in which they
    /// were sent, but one may get lost, and with it all that follow until both have connected anew.
    package func send(note: [UInt8], to peer: NodeID) { post(.note(note, peer)) }

    /// Replaces the address book. A node of `removed` is told that it was removed when it comes back, and stops.
    package func connect(to peers: [PeerAddress], removed: Set<NodeID> = []) {
        post(.connect(peers, removed: removed))
    }

    /// The host has withdrawn what was tied to the lease of `term`.
    package func leaseWithdrawn(_ term: Term) { post(.leaseWithdrawn(term)) }

    /// Another process of `node` tells that what was tied to its lease of `term` is withdrawn.
    package func leaderReleased(_ term: Term, by node: NodeID, processGone: Bool) {
        post(.leaderReleased(node, term, processGone: processGone))
    }

    /// The process of `node` that began as `boot` is gone, and all that it had been lent is free.
    package func borrowerGone(_ node: NodeID, boot: UInt64) { post(.borrowerGone(node, boot: boot)) }

    /// Gives up leadership, for instance because the network of this node is gone. No effect at a follower.
    package func stepDown() { post(.stepDown) }

    /// Replaces the nodes that shall lead only when no other voter can.
    package func spare(_ nodes: Set<NodeID>) { post(.spare(nodes)) }

    /// Hands leadership to `target`, or to the voter that is closest behind. Begun when the completion has no refusal.
    package func transferLeadership(
        to target: NodeID?, completion: @escaping @Sendable (TransferRefusal?) -> Void
    ) {
        if !post(.transfer(target, completion)) { completion(.notLeader(leader: nil)) }
    }

    /// Begun when the completion has no refusal.
    package func changeMembership(
        _ change: MembershipChange, completion: @escaping @Sendable (MembershipRefusal?) -> Void
    ) {
        if !post(.change(change, completion)) { completion(.notLeader(leader: nil)) }
    }

    /// As of the last turn of the loop; nil before the first.
    package var status: RaftStatus? { published.withLock { $0 } }

    /// Stops and returns when the threads have ended. A graceful stop hands leadership over first. Not to be called
    /// on the consensus thread.
    package func stop(graceful: Bool) {
        post(.stop(graceful: graceful))
        thread.withLock { $0.take() }?.join()
        launch.withLock { $0 = nil }
    }

    /// Asks the others for the time in which another process takes the place of this one; `status.raft.pauseEnd` tells
    /// when they have granted it. No effect at a follower.
    package func prepareToPause() { post(.prepareToPause) }

    /// Stops without giving anything up, and returns when the data directory and the connections are free for another
    /// process of this node: with what that goes on from, nil when it has to begin like any other. `isSuspended` is false
    /// when the node had to stop instead, or had stopped.
    package func suspend() -> (isSuspended: Bool, continuation: Continuation?) {
        post(.suspend)
        thread.withLock { $0.take() }?.join()
        return suspension.withLock { $0 }
    }

    private func run(_ resources: consuming NodeResources, _ host: Host) -> RaftNodeError? {
        let failure: RaftNodeError?
        do throws(RaftNodeError) {
            let loop = try ConsensusLoop(resources, host: host, requests: requests, times: times) { [self] status in
                published.withLock { $0 = status }
            }
            failure = loop.run()
            suspension.withLock { $0 = (loop.isBeingSuspended && failure == nil, loop.continuation) }
        } catch {
            failure = error
        }
        isClosed.store(true, ordering: .sequentiallyConsistent)
        refuseWaiting()
        return failure
    }

    @discardableResult
    private func post(_ request: Request, wakes: Bool = true) -> Bool {
        guard !hasStopped, wakes ? requests.post(request) : requests.postQuietly(request) else { return false }
        // The loop may have ended in between; whoever drains first answers what is left.
        if hasStopped { refuseWaiting() }
        return true
    }

    private var hasStopped: Bool { isClosed.load(ordering: .sequentiallyConsistent) }

    private func refuseWaiting() {
        for request in requests.drain() {
            switch request {
            case .propose(_, _, let completion): completion(.failure(.stopping))
            case .read(_, let completion): completion(.failure(.stopping))
            case .transfer(_, let completion): completion(.notLeader(leader: nil))
            case .change(_, let completion): completion(.notLeader(leader: nil))
            case .perform, .publish, .note, .connect, .leaseWithdrawn, .leaderReleased, .borrowerGone, .stepDown,
                .spare, .prepareToPause, .suspend, .stop:
                break
            }
        }
    }
}
