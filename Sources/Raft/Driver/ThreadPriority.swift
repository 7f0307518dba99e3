import CLinux
import Posix

/// How the consensus thread is scheduled. A heartbeat late by more than the lease costs the leader its office.
enum ThreadPriority {
    private static let fifoPriority: Int32 = 10
    private static let nice: Int32 = -20

    /// Raises the calling thread as far as permitted and says what it got.
    static func raise() {
        if clinux_set_fifo(fifoPriority) == 0 {
            Log.info("raft: the consensus thread runs under SCHED_FIFO, priority \(fifoPriority)")
        } else if clinux_set_thread_nice(nice) == 0 {
            Log.info("raft: the consensus thread runs at nice \(nice); SCHED_FIFO is not permitted")
        } else {
            Log.info(
                "raft: the consensus thread runs at ordinary priority; CAP_SYS_NICE would let it keep its timing on a "
                    + "busy machine")
        }
    }
}
