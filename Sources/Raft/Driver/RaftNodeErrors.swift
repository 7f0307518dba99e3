import Posix
import TLS

/// Why a node did not start, or ended by itself.
package enum RaftNodeError: Error, Hashable, Sendable, CustomStringConvertible {
    case storage(StorageError)
    case system(SystemError)
    case timing(Timing.Fault)
    case restore(RestoreFailure)
    case certificate(TLSFailure)
    /// The other members say that this node was removed from the cluster.
    case removed

    package var description: String {
        switch self {
        case .storage(let error): error.description
        case .system(let error): "\(error); \(error.cure)"
        case .timing(let fault): "timing: \(fault)"
        case .restore(let failure): "the state in the newest snapshot can not be taken over: \(failure)"
        case .certificate(let failure): "\(failure)"
        case .removed: "the other nodes say that it was removed from the cluster"
        }
    }
}

/// Why a proposal has no outcome.
package enum ProposalError: Error, Hashable, Sendable {
    /// No leader took it. It was not appended: retrying is safe.
    case noLeader
    /// Too much waits already. It was not appended.
    case overloaded
    case tooLarge(limit: Int)
    /// The time is up. It may still be committed.
    case timedOut
    /// Another leader took over, or this node took the state from a snapshot. It may be committed.
    case unknownOutcome
    /// The node stops. It may be committed.
    case stopping
}

/// Why a linearizable read is not possible now.
package enum ReadError: Error, Hashable, Sendable {
    case noLeader
    case overloaded
    case timedOut
    case stopping
}
