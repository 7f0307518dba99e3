import Gateway
import Posix
import Raft

/// Members and leadership. Wishes go through the log like any other change, so that they reach the leader from any
/// node, also where the admin API of the others is out of reach.
extension NodeServices {
    func changeMember(_ change: MemberChange, _ completion: @escaping AdminServices.Completion<Void>) {
        if let objection = MemberDirectory(of: view.current, node).objection(to: change.wish) {
            return completion(.failure(.refused(.member(objection))))
        }
        proposeWish(.changeMember(change), completion)
    }

    func moveLeadership(_ move: LeadershipMove, _ completion: @escaping AdminServices.Completion<Void>) {
        let current = view.current
        let leader = current?.raft.leader
        if let leader, move.target == leader { return completion(.success(())) }
        let objection = MemberDirectory(of: current, node).objection(
            toLeader: move.target, leader: leader, connected: Set(current?.connected ?? []).union([node.node.id]))
        if let objection { return completion(.failure(.refused(.member(objection)))) }
        proposeWish(.moveLeadership(move), completion)
    }

    private func proposeWish(_ command: Command, _ completion: @escaping AdminServices.Completion<Void>) {
        propose(command) { result in
            completion(
                result.flatMap { outcome in
                    switch outcome {
                    case .applied, .unchanged: .success(())
                    case .refused(let refusal): .failure(.refused(refusal))
                    case .configured, .keyChanged: preconditionFailure("a wish is noted or refused")
                    }
                })
        }
    }
}
