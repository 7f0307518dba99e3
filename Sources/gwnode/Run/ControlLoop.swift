import Gateway
import Glibc
import Posix
import Raft

/// The control thread: turns what the cluster agreed on, and what this node sees itself, into what the workers serve
/// and the prober checks; and proposes what this node has to tell the cluster.
enum ControlLoop {
    enum Event: Sendable {
        /// The consensus thread has published a view with news.
        case viewChanged
        /// The prober has come to another verdict on a backend.
        case verdict(BackendKey, HealthVerdict)
        /// Something of another thread that has no time for it.
        case perform(@Sendable () -> Void)
        /// The operator has renewed certificates.
        case reloadCertificates
        case stop
    }

    static let mailboxCapacity = 16_384
    /// How often the other nodes are told how this one is, and unanswered proposals are made again.
    static let beatMilliseconds = 250.0
    /// From the end of one turn to the beginning of the next.
    static let turnPauseMilliseconds: Int32 = 2

    /// Returns after `stop`.
    static func run(
        _ mailbox: Mailbox<Event>, _ serving: ServingControl, _ proposals: OwnProposals, _ members: MembershipKeeper,
        _ scaling: ScalingKeeper, _ services: NodeServices, tellWatchers: () -> Void
    ) {
        var waiting = pollfd(fd: mailbox.descriptor, events: Int16(POLLIN), revents: 0)
        while true {
            let deadline = min(proposals.nextDeadline, serving.nextDeadline, services.liveBoard.nextDeadline)
            let pause = (deadline - .now()).milliseconds.rounded(.up)
            _ = poll(&waiting, 1, Int32(min(pause, beatMilliseconds)))
            var hasNews = false
            for event in mailbox.drain() {
                switch event {
                case .viewChanged: hasNews = true
                case .verdict(let backend, let verdict):
                    hasNews = true
                    serving.note(verdict, on: backend)
                    proposals.observe(verdict, on: backend)
                case .perform(let body): body()
                case .reloadCertificates: serving.reloadCertificates()
                case .stop: return serving.end()
                }
            }
            serving.update()
            if services.updateLive() { hasNews = true }
            proposals.update()
            members.update()
            scaling.update()
            if hasNews { tellWatchers() }
            // Thousands of changes a second are taken in a few hundred turns.
            _ = poll(nil, 0, turnPauseMilliseconds)
        }
    }
}
