import CLinux
import Posix

/// How the consensus thread, and others that its lease depends on, are scheduled. A heartbeat late by more than the lease costs the leader its office.
package enum ThreadPriority {
    private static let fifoPriority: Int32 = 10
    private static let nice: Int32 = -20

    package enum Granted {
        case realTime, nice, nothing
    }

    /// Raises the calling thread, and those that it starts afterwards, as far as permitted.
    @discardableResult
    package static func raise() -> Granted {
        if clinux_set_fifo(fifoPriority) == 0 { return .realTime }
        return clinux_set_thread_nice(nice) == 0 ? .nice : .nothing
    }

    /// Raises the consensus thread and says what it got.
    static func raiseConsensus() {
        switch raise() {
        case .realTime: Log.info("raft: the consensus thread runs under SCHED_FIFO, priority \(fifoPriority)")
        case .nice: Log.info("raft: the consensus thread runs at nice \(nice); SCHED_FIFO is not permitted")
        case .nothing:
            Log.info(
                "raft: the consensus thread runs at ordinary priority; CAP_SYS_NICE would let it keep its timing on a "
                    + "busy machine")
        }
    }
}
