/// What the process tells its caller; the meanings are the same for every command.
package enum ExitCode: Int32, Sendable {
    /// Done; for `status`: the cluster is healthy.
    case success = 0
    /// Not done; for `status`: the cluster works, but something is down.
    case failure = 1
    /// The cluster has no quorum.
    case noQuorum = 2
    /// No node answered.
    case unreachable = 3
    /// `run`: the node was removed from its cluster; starting it again changes nothing.
    case removed = 4
    /// The command line is wrong (EX_USAGE of sysexits.h, so that it is not taken for a state of the cluster).
    case usage = 64
}
