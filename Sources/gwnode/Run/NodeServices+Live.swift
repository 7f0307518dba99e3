import Gateway
import Posix

extension NodeServices {
    /// What watchers of this node are told. Asks no other node.
    func live() -> LiveView {
        let view = view.current
        let sources = sources(of: view, isStale: true)
        return LiveView(
            node: describe(), status: sources.document(), live: liveBoard.document ?? sources.liveDocument(at: .now()),
            history: liveBoard.history, journal: view?.state.journal ?? Journal())
    }

    /// To be called after every event and from time to time, on the control thread. True when a sample was taken.
    func updateLive() -> Bool {
        guard Instant.now() >= liveBoard.nextDeadline else { return false }
        guard liveBoard.update(statistics(), serving.upstreamMeasures) else { return false }
        liveBoard.note(sources(of: view.current, isStale: true).liveDocument(at: .now()))
        return true
    }
}
