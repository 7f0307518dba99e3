import Gateway
import Posix
import Raft
import Synchronization

/// What runs on Raft in this process: the replicated state and the virtual addresses. Confined to the consensus
/// thread; the others see it through the `ClusterView` that each turn publishes.
final class ClusterHost: ConsensusHost {
    private var state = ClusterState()
    private let virtualIP: VirtualIPManager
    private let view: SharedClusterView
    private var sightings: [NodeID: StatusSources.Sighting] = [:]
    private var stateHasChanged = true
    private var isShuttingDown = false
    private let node: RaftNode<ClusterHost>

    init(on node: RaftNode<ClusterHost>, virtualIP: VirtualIPManager, view: SharedClusterView) {
        self.node = node
        self.virtualIP = virtualIP
        self.view = view
    }

    /// The configuration in force, nil before the first.
    var configuration: ConfigurationRecord? { state.configuration }

    func apply(_ bytes: [UInt8], at position: LogPosition) -> Outcome {
        stateHasChanged = true
        do throws(DecodingFault) {
            return state.apply(try Command(decoding: bytes))
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
            state = try ClusterState(decoding: bytes)
        } catch {
            throw RestoreFailure("\(error)")
        }
        stateHasChanged = true
    }

    func turn(_ turn: TurnView) -> Instant {
        let address = virtualIP.turn(now: turn.now, lease: turn.raft.lease, isShuttingDown: isShuttingDown)
        if address.resignation != nil { node.stepDown() }
        view.publish(
            ClusterView(
                state: state, raft: turn.raft, connected: turn.connected, heldAddresses: virtualIP.held,
                sightings: sightings),
            stateHasChanged: stateHasChanged || address.hasChanged)
        stateHasChanged = false
        return address.nextDeadline
    }

    func surrendered(lease term: Term) {
        _ = virtualIP.turn(now: .now(), lease: nil, isShuttingDown: isShuttingDown)
        node.leaseWithdrawn(term)
    }

    func received(info: [UInt8], from node: NodeID, at now: Instant) {
        do throws(DecodingFault) {
            sightings[node] = StatusSources.Sighting(report: try NodeReport(decoding: info), at: now)
        } catch {
            Log.debug("report of node \(node) can not be read: \(error)")
        }
    }

    func serve(addresses: [IPAddress], ports: [UInt16]) { virtualIP.configure(addresses: addresses, ports: ports) }

    /// Gives the addresses up for good; the node is about to stop.
    func shutDown() {
        isShuttingDown = true
        _ = virtualIP.turn(now: .now(), lease: nil, isShuttingDown: true)
    }
}
