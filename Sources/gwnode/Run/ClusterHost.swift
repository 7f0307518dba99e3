import Gateway
import Posix
import Raft
import Synchronization

/// What runs on Raft in this process: the replicated state and the virtual addresses. Confined to the consensus
/// thread; the others see it through the `ClusterView` that each turn publishes.
final class ClusterHost: ConsensusHost {
    private(set) var state = ReplicatedState()
    /// The last entry that `state` holds.
    private(set) var stateIndex = LogIndex.zero
    private let virtualIP: any AddressKeeper
    private let noticeKey: NoticeKey
    private let view: SharedClusterView
    private var sightings: [NodeID: StatusSources.Sighting] = [:]
    private var clusterHasChanged = true
    private var isShuttingDown = false
    /// A lease that is given up, while addresses are not known to be off the machine.
    private var surrendered: Term?
    /// Applied in this turn, and the term in which it was appended.
    private var wantedMove: (move: LeadershipMove, term: Term)?
    private var spreading = Spreading()
    /// Something kept this node from holding what it was lent.
    private var ableAgain = Instant.zero
    private var isLeaving = false
    /// Another process is about to take the place of this one.
    private var pauses = false
    /// What Raft was last told of drained nodes.
    private var spared: Set<NodeID> = []
    private let node: RaftNode<ClusterHost>
    private let mover: AddressMover
    /// Nil where connections can not go along when addresses move.
    private let heir: ConnectionHeir?
    /// Nil where connections end with the machine.
    private let outliving: OutlivingConnections?

    init(
        on node: RaftNode<ClusterHost>, virtualIP: any AddressKeeper, noticeKey: NoticeKey, view: SharedClusterView,
        mover: AddressMover, heir: ConnectionHeir?,
        outliving: OutlivingConnections?
    ) {
        self.node = node
        self.mover = mover
        self.heir = heir
        self.outliving = outliving
        self.virtualIP = virtualIP
        self.noticeKey = noticeKey
        self.view = view
    }

    func apply(_ bytes: [UInt8], at position: LogPosition) -> Outcome {
        stateIndex = position.index
        do throws(DecodingFault) {
            let change = try ReplicatedState.Change(decoding: bytes)
            switch change {
            case .cluster(let command):
                clusterHasChanged = true
                if case .moveLeadership(let move) = command { wantedMove = (move, position.term) }
                if case .changeLoan(let change) = command, change.term != position.term {
                    // Its leader judged by grants that a later one may have renewed.
                    return .refused(.staleTerm(change.term, current: position.term))
                }
            case .key: break
            }
            return state.apply(change)
        } catch {
            // Every node of this version refuses it alike; a newer one may know it.
            Log.error("state: entry \(position.index) can not be read: \(error)")
            return .refused(.unreadable(error))
        }
    }

    func snapshotEncoder() -> @Sendable () -> [UInt8] {
        let state = state
        return { state.encoded() }
    }

    func restore(_ bytes: [UInt8], through index: LogIndex) throws(RestoreFailure) {
        do throws(DecodingFault) {
            state = try ReplicatedState(decoding: bytes)
        } catch {
            throw RestoreFailure("\(error)")
        }
        stateIndex = index
        clusterHasChanged = true
    }

    func turn(_ turn: TurnView) -> HostTurn {
        let plan = spreading.turn(conditions(turn))
        let address = virtualIP.turn(
            now: turn.now, lease: plan.lease, share: plan.share, isShuttingDown: isShuttingDown)
        if address.resignation != nil {
            node.stepDown()
            ableAgain = turn.now + Self.unablePause
        }
        for var change in plan.changes {
            change.at = .now()
            node.propose(Command.changeLoan(change).encoded(), timeout: Self.loanTimeout) { _ in }
        }
        let departure = Departure(plan.departing.intersection(virtualIP.held), to: plan.heir)
        if mover.departures.want(departure, held: virtualIP.held) { mover.clearDepartures() }
        confirmSurrender()
        moveLeadership(turn.raft)
        if state.cluster.drained != spared {
            spared = state.cluster.drained
            node.spare(spared)
        }
        // Before others see what is held, who may act on it.
        outliving?.turn(turn, held: virtualIP.held, node)
        view.publish(
            ClusterView(
                state: state.cluster, raft: turn.raft, connected: turn.connected, heldAddresses: virtualIP.held,
                onHold: virtualIP.onHold,
                fence: virtualIP.fence, guardIdentity: virtualIP.guardIdentity, noticeKey: noticeKey,
                moved: mover.workers.moved,
                rebuilt: mover.workers.rebuilt, sightings: sightings),
            stateHasChanged: clusterHasChanged || address.hasChanged)
        clusterHasChanged = false
        return HostTurn(
            deadline: min(address.nextDeadline, plan.deadline), lent: plan.lent, long: plan.long, wish: plan.wish)
    }

    private static let unablePause = Nanoseconds.seconds(5)
    private static let loanTimeout = Nanoseconds.seconds(1)

    private func conditions(_ turn: TurnView) -> Spreading.Conditions {
        let configuration = state.cluster.configuration
        return Spreading.Conditions(
            now: turn.now, raft: turn.raft, addresses: configuration?.virtualAddresses ?? [],
            isSpread: configuration?.spreadsAddresses ?? false, loans: state.cluster.loans.all,
            drained: state.cluster.drained, occupied: virtualIP.occupied, deserted: mover.departures.deserted,
            isAble: virtualIP.canHold && !isShuttingDown && !isLeaving && turn.now >= ableAgain, pauses: pauses)
    }

    /// From now on this node uses nothing that it was lent; it is about to stop.
    func leave() { isLeaving = true }

    /// Whether what is lent to this node, or by it, shall outlast a pause.
    func prepareToPause(_ pauses: Bool) { self.pauses = pauses }

    /// Only the leader to whom it was said acts on it: read again after a restart, or by a later leader, it is old.
    private func moveLeadership(_ raft: Status) {
        guard let (move, term) = wantedMove else { return }
        wantedMove = nil
        guard raft.role == .leader, raft.term == term, move.target != raft.id else { return }
        mover.handOver(to: move.target)
    }

    func surrendered(lease term: Term) {
        _ = virtualIP.turn(now: .now(), lease: nil, share: .all, isShuttingDown: isShuttingDown)
        surrendered = term
        confirmSurrender()
    }

    /// Others may be told of the release once no address is left here.
    private func confirmSurrender() {
        guard let term = surrendered, virtualIP.isClear else { return }
        surrendered = nil
        node.leaseWithdrawn(term)
    }

    func received(info: [UInt8], from node: NodeID, at now: Instant) {
        do throws(DecodingFault) {
            let earlier = sightings[node]
            let report = try NodeReport(decoding: info)
            sightings[node] = StatusSources.Sighting(report: report, at: now, after: earlier)
            if earlier?.report.role != report.role || earlier?.report.heldAddresses != report.heldAddresses {
                clusterHasChanged = true
            }
        } catch {
            Log.debug("report of node \(node) can not be read: \(error)")
        }
    }

    func received(note: [UInt8], from node: NodeID) {
        do throws(DecodingFault) {
            switch try HandoverNote(decoding: note) {
            case .offer(let offer):
                heir?.offered(offer, by: node)
                outliving?.rebuilder.moved(offer, by: node)
            case .taken(let move, let count): mover.carrier?.answered(move: move, by: node, taken: count)
            case .withdrawn(let move): heir?.withdrawn(move: move, by: node)
            case .shared(let records): outliving?.rebuilder.shared(records, by: node)
            case .forsaken(let records): outliving?.rebuilder.forsaken(records, by: node)
            }
        } catch {
            Log.debug("a note of node \(node) can not be read: \(error)")
        }
    }

    /// `heir` has these connections, whose addresses it is about to get. Should its machine die before it shares them, this
    /// node knows them.
    func carried(_ images: [TCPConnectionImage], to heir: NodeID) { outliving?.rebuilder.carried(images, to: heir) }

    /// The connections to `addresses` go on here.
    func keep(connectionsTo addresses: Set<IPAddress>) { outliving?.rebuilder.stayed(at: addresses) }

    func serve(addresses: [IPAddress], ports: [UInt16]) {
        virtualIP.configure(addresses: addresses, ports: ports)
        heir?.serve(addresses: addresses, ports: ports)
    }

    func keepBack(_ hold: ArrivalHold, for addresses: Set<IPAddress>) { virtualIP.keepBack(hold, for: addresses) }

    /// Another process of this node goes on with the addresses.
    func leaveAddresses() { virtualIP.leaveToSuccessor() }

    /// Gives the addresses up for good; the node is about to stop.
    func shutDown() {
        isShuttingDown = true
        _ = virtualIP.turn(now: .now(), lease: nil, share: .all, isShuttingDown: true)
    }
}
