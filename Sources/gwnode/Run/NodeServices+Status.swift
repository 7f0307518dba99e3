import Gateway
import Posix
import Raft

/// The status as this node knows it, confirmed by a quorum unless an old one will do.
extension NodeServices {
    /// Well over an election: who asks during one gets the answer after it.
    private static let statusTimeout = Nanoseconds.milliseconds(500)

    /// A status that no quorum confirms says so: `quorum` is false and `stale` is true.
    func status(
        _ consistency: AdminServices.Consistency, _ completion: @escaping AdminServices.Completion<StatusDocument>
    ) {
        switch consistency {
        case .stale: completion(.success(document(isStale: true)))
        case .linearizable:
            guard view.current?.raft.hasQuorum == true else { return completion(.success(unconfirmed())) }
            raft.readBarrier(timeout: Self.statusTimeout) { result in
                switch result {
                case .failure:
                    onControlThread(completion) { unconfirmed() }
                case .success:
                    // The barrier is answered before its turn publishes a view, so one more turn has to pass.
                    let isComing = raft.perform { _ in onControlThread(completion) { document(isStale: false) } }
                    if !isComing { onControlThread(completion) { unconfirmed() } }
                }
            }
        }
    }

    /// The consensus thread has no time to make documents.
    private func onControlThread(
        _ completion: @escaping AdminServices.Completion<StatusDocument>,
        _ make: @escaping @Sendable () -> StatusDocument
    ) {
        if !control({ completion(.success(make())) }) {
            completion(.failure(.unavailable("too much waits at this node, try again")))
        }
    }

    private func unconfirmed() -> StatusDocument {
        var document = document(isStale: true)
        document.quorum = false
        return document
    }

    private func document(isStale: Bool) -> StatusDocument {
        sources(of: view.current, isStale: isStale).document()
    }

    /// What this node knows now, for the status and for metrics.
    func sources(of view: ClusterView?, isStale: Bool) -> StatusSources {
        let now = Instant.now()
        return StatusSources(
            cluster: node.cluster, now: now, node: node.node.id, directory: MemberDirectory(of: view, node),
            leader: view?.raft.leader, hasQuorum: view?.raft.hasQuorum ?? false, isStale: isStale,
            ownReport: NodeReport(of: view, serving: serving), ownSample: liveBoard.sample,
            sightings: view?.sightings ?? [:], connected: view?.connected ?? [], state: view?.state ?? ClusterState(),
            configuration: serving.configuration, localBackends: serving.localBackends(at: now))
    }
}
