import Gateway
import Posix
import Raft

extension NodeServices {
    /// The state is taken on the consensus thread and made into bytes on the control thread.
    func snapshot(
        _ consistency: AdminServices.Consistency, _ completion: @escaping AdminServices.Completion<SnapshotArchive>
    ) {
        read(consistency, { ($0.state, $0.stateIndex) }) { result in
            let isQueued = control {
                completion(
                    result.map { state, index in
                        SnapshotArchive(
                            of: state, through: index, term: view.current?.raft.term ?? .zero, cluster: node.cluster,
                            by: node.node.id, at: .now())
                    })
            }
            if !isQueued { completion(.failure(.unavailable("too much waits at this node, try again"))) }
        }
    }
}
