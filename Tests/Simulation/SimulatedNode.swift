import Posix
import Raft

/// One process on one machine.
final class SimulatedNode {
    let id: NodeID
    let clock: SimulatedClock
    let founders: Membership
    let keys: Int
    let settings: Settings
    let snapshotEvery: UInt64

    var disk: SimulatedDisk
    var core: Raft
    var machine: RegisterMachine
    var isUp = false
    /// Its disk failed: nothing is written any more, and the process is about to end.
    var hasFailed = false
    /// Its disk is damaged: it refuses to start until a person does something.
    var isLost = false
    /// Its process has ended and left its lease in force for the next one, which gets `continuation`.
    var isBeingReplaced = false
    var continuation: Continuation?
    /// Stopped, as by SIGSTOP: events wait, time goes on.
    var isPaused = false
    var waiting: [Simulation.Event] = []
    /// Counts the starts, so that events of a former process are known as such.
    var boot = 0
    /// Counts the wake-ups that were asked for; only the newest counts.
    var wakeNumber = 0
    var diskFreeAt: UInt64 = 0
    /// The core's, since its last turn; it may run out meanwhile.
    var lease: Lease?
    /// As of the end of its last turn.
    var membership: Membership
    var snapshotIndex = LogIndex.zero
    var snapshotUnderWay = false

    init(id: NodeID, clock: SimulatedClock, founders: Membership, plan: Plan) {
        self.id = id
        disk = SimulatedDisk(node: id)
        self.clock = clock
        self.founders = founders
        keys = plan.keys
        snapshotEvery = plan.snapshotEvery
        settings = Settings(id: id, timing: plan.timing, limits: plan.limits, seed: 0)
        core = Raft(settings, recovered: RecoveredState(foundingMembership: founders), at: .zero)
        machine = RegisterMachine(keys: plan.keys)
        membership = founders
    }

    var isRunning: Bool { isUp && !isPaused }

    func start(_ recovered: RecoveredState, seed: UInt64, at time: UInt64) {
        isUp = true
        hasFailed = false
        snapshotUnderWay = false
        isPaused = false
        boot += 1
        lease = nil
        waiting = []
        diskFreeAt = time
        var settings = settings
        settings.seed = seed
        core = Raft(settings, recovered: recovered, continuing: continuation, at: clock.instant(at: time))
        continuation = nil
        isBeingReplaced = false
        membership = core.membership
        machine = recovered.snapshot.map { RegisterMachine(decoding: $0.state) } ?? RegisterMachine(keys: keys)
        snapshotIndex = recovered.snapshot?.index ?? .zero
    }
}
