import Posix
import Raft

/// What a seed does to its cluster, drawn from the seed: each seed has its own mixture of faults, for a uniform one
/// hides those bugs that need many of one kind and none of another (swarm testing, Groce et al. 2012).
package struct Plan: Sendable {
    package var seed: UInt64
    package var nodes: Int
    /// Faults end after this; then the cluster has `recovery` to converge.
    package var faultyTime: Nanoseconds = .milliseconds(1500)
    package var recovery: Nanoseconds = .milliseconds(1200)
    /// The part of the recovery in which clients are silent.
    var quietTime: UInt64 { recovery.count / 3 }
    package var timing = Timing.lan
    package var limits = Plan.tightLimits
    /// Entries applied between two snapshots of a node.
    package var snapshotEvery: UInt64 = 12
    package var keys = 3

    /// A disk and clients that leave a cluster room to recover.
    static let healthyWrite: ClosedRange<UInt64> = 100_000...300_000
    static let healthyReconnect: ClosedRange<UInt64> = 0...2_000_000
    static let writesUnderWay = 8
    /// Two sectors at least, wherever they begin.
    static let padding = 1600
    static let calmOperationGap: ClosedRange<UInt64> = 2_000_000...10_000_000

    /// In a thousand messages.
    var lost: Int
    var doubled: Int
    var delayed: Int
    var delay: ClosedRange<UInt64>
    var longDelay: ClosedRange<UInt64>
    var write: ClosedRange<UInt64>
    /// In a thousand writes, and how long those take.
    var stalledWrites: Int
    var stall: ClosedRange<UInt64>
    /// From one fault, or client operation, to the next.
    var faultGap: ClosedRange<UInt64>
    var operationGap: ClosedRange<UInt64>
    /// In a thousand commands, those with `padding` zeros.
    var padded: Int
    /// In a thousand turns, those whose `ready()` waits for more events.
    var batched: Int
    /// In a thousand writes of a term or vote, those around which the machine loses its power.
    var crashesAtVotes: Int
    /// In a thousand starts, those that end before the node runs.
    var crashesAtStarts: Int
    /// In a thousand ends of a process, those that take the whole machine's power.
    var powerLosses: Int
    /// In a thousand times that the disk finishes a write, those at which it finishes all that wait.
    var grouped: Int
    /// How long the connections of a node need to come back after its start.
    var reconnect: ClosedRange<UInt64>
    var weights: [(fault: Fault, weight: Int)]

    enum Fault: Int, CaseIterable, Sendable {
        case crash, pause, split, isolate, cutOneWay, bridge, restartVoter
        case falseEvidence, transfer, stepDown, diskStall, diskFailure, rot, changeMembers, replaceProcess
    }

    /// Small, so that every limit is met often.
    private static var tightLimits: Limits {
        var limits = Limits()
        limits.messageEntries = 4
        limits.messagesInFlight = 3
        limits.uncommittedBytes = 64 * 40
        limits.pendingReads = 16
        limits.snapshotChunkBytes = 10
        limits.snapshotChunksInFlight = 2
        limits.retainedEntries = 6
        limits.appliesPerReady = 5
        return limits
    }

    package init(seed: UInt64) {
        self.seed = seed
        var random = SplitMix64(seed: seed)
        func pick<Value>(_ values: [Value]) -> Value { values[Int(random.next() % UInt64(values.count))] }
        nodes = pick([3, 3, 5])
        lost = pick([0, 0, 10, 100, 300])
        doubled = pick([0, 10, 100])
        delayed = pick([0, 10, 100])
        delay = 50_000...pick([200_000, 1_000_000, 4_000_000])
        longDelay = 5_000_000...pick([20_000_000, 120_000_000])
        write = 100_000...pick([300_000, 2_000_000, 12_000_000])
        stalledWrites = pick([0, 0, 20])
        stall = 20_000_000...200_000_000
        faultGap = 1_000_000...pick([20_000_000, 60_000_000, 200_000_000])
        operationGap = 100_000...pick([2_000_000, 8_000_000, 40_000_000, 400_000_000])
        padded = pick([0, 20, 300])
        batched = pick([0, 100, 500])
        crashesAtVotes = pick([0, 0, 30, 150])
        crashesAtStarts = pick([0, 50, 300])
        powerLosses = pick([0, 500, 1000])
        grouped = pick([0, 300])
        reconnect = 0...pick([0, 2_000_000, 30_000_000])
        timing.pause = .milliseconds(pick([60, 150, 400]))
        // Where disks rot, members do not change: both in one seed, but not in most.
        weights = Fault.allCases.map { ($0, $0 == .rot ? pick([0, 0, 0, 1]) : pick([0, 1, 1, 4])) }
    }
}
