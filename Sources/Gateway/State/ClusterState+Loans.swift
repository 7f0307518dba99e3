import Posix
import Raft

extension ClusterState {
    mutating func apply(_ change: LoanChange) -> Outcome {
        let limit = GatewayConfiguration.Limit.virtualAddresses
        guard loans.all[change.address] != nil || loans.all.count < limit else {
            return .refused(.tooMany(what: "lent addresses", limit: limit))
        }
        guard loans.apply(change) else { return .unchanged }
        switch change.to {
        case .own: journal.append(.addressReturned(change.address), at: change.at)
        case .lent(let node): journal.append(.addressLent(change.address, to: node), at: change.at)
        case .recalled, .long, .short: break
        }
        return .applied
    }
}
