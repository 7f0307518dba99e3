import Gateway
import Glibc
import Posix

/// Why a drill goes no further.
enum DrillEnd: Error {
    case interrupted
    case failed(String)
}

/// Signals that end a drill, looked for whenever it waits.
final class DrillInterruption {
    private let signals: SignalDescriptor

    init() throws(SystemError) { signals = try SignalDescriptor([SIGINT, SIGTERM, SIGHUP]) }

    func wait(milliseconds: Int32) throws(DrillEnd) {
        var waiting = pollfd(fd: signals.raw, events: Int16(POLLIN), revents: 0)
        if poll(&waiting, 1, milliseconds) > 0, signals.next() != nil { throw .interrupted }
    }
}

/// Rounds of one kind on a running cluster: each hits the leader, sees another node take over, and mends what it broke.
final class Drill {
    /// For a cluster to be as it should before a round and after it.
    private static let healthLimit = Nanoseconds.seconds(60)
    private static let takeoverLimit = Nanoseconds.seconds(20)
    private static let answerLimit = Nanoseconds.seconds(10)

    private let client: ClusterClient
    private let kind: DrillKind
    /// Where the leader holds no address, clients ask there.
    private let service: SocketAddress
    private let interruption: DrillInterruption
    /// Nodes that were started again, until they end.
    private var started: [ChildProcess] = []

    init(_ client: ClusterClient, _ kind: DrillKind, service: SocketAddress, _ interruption: DrillInterruption) {
        self.client = client
        self.kind = kind
        self.service = service
        self.interruption = interruption
    }

    /// What a round is about to do to whom.
    private struct Plan {
        var status: StatusDocument
        var leader: StatusDocument.Node
        var fault: Fault

        /// An address that the leader holds; nil where it holds none, as others have them all.
        var address: IPAddress? {
            status.virtualAddresses.first { $0.holder == leader.id }.flatMap { IPAddress($0.address) }
        }
    }

    private enum Fault {
        case kill(LocalNode)
        case stop(LocalNode)
        case cut(NetworkCut)
        case transfer
    }

    /// The round's figures, and who led before and after it.
    func round() throws(DrillEnd) -> (DrillRound, leaders: String) {
        let plan = try prepare()
        let nodes = plan.status.nodes.filter { !kind.isFault || $0.id != plan.leader.id }
        let places = nodes.compactMap { AdminPlace(parsing: $0.admin) }
        let watch: DrillWatch
        let probe: DrillClient
        let service = SocketAddress(ip: plan.address ?? service.ip, port: service.port)
        do throws(SystemError) {
            probe = try DrillClient(service)
            watch = try DrillWatch(places.map(client.asking))
        } catch { throw .failed("\(error)") }
        defer {
            probe.stop()
            watch.stop()
        }
        try waitForAnswers(of: service, probe)
        let timeline: DrillTimeline
        do throws(DrillEnd) {
            timeline = try watchTakeover(plan, probe, watch)
        } catch {
            mend(plan.fault)
            throw error
        }
        mend(plan.fault)
        let after = try waitUntilHealthy { [kind] status in
            let leader = status.nodes.first { $0.id == plan.leader.id }
            // Of a killed node the others may still have the last report.
            return status.term > plan.status.term && (kind != .kill || leader?.pid != plan.leader.pid)
        }
        let next = after.nodes.first { $0.id == after.leader }
        return (timeline.round, Terminal.printable("\(plan.leader.name) -> \(next?.name ?? "?")"))
    }

    private func watchTakeover(_ plan: Plan, _ probe: DrillClient, _ watch: DrillWatch) throws(DrillEnd)
        -> DrillTimeline
    {
        let began = try cause(plan)
        var timeline = DrillTimeline(began: began, leader: plan.leader.id, term: plan.status.term)
        while true {
            // Asked first: whatever is older has ended by then, and is among those taken.
            let oldestOpen = probe.oldestOpen
            for request in probe.takeEnded() { timeline.note(request) }
            for sighting in watch.take() { timeline.note(sighting) }
            if case .stop = plan.fault, timeline.isTakenOver { mend(plan.fault) }
            if timeline.isOver(at: Instant.now(), oldestOpen: oldestOpen) { return timeline }
            if Instant.now() > began + Self.takeoverLimit {
                throw .failed("no other node took over and served clients within \(Self.takeoverLimit)")
            }
            try interruption.wait(milliseconds: 5)
        }
    }

    /// The moment from which times are counted.
    private func cause(_ plan: Plan) throws(DrillEnd) -> Instant {
        let began = Instant.now()
        switch plan.fault {
        case .kill(let node): node.kill()
        case .stop(let node): node.signal(SIGSTOP)
        case .cut(let cut):
            let ports = Set(plan.status.nodes.compactMap { HostPort(parsing: $0.raft)?.port })
            do throws(NetworkCut.Failure) { try cut.begin(ports) } catch { throw .failed(error.reason) }
            return Instant.now()
        case .transfer: try order(.post("/v1/leader/transfer", MemberCommands.encoded(LeadershipMoveDocument(to: nil))))
        }
        return began
    }

    private func mend(_ fault: Fault) {
        switch fault {
        case .kill(let node):
            do throws(SystemError) {
                if let process = try node.startAgain() { started.append(process) }
            } catch {
                Terminal.complain("the killed node could not be started again: \(error)")
            }
        case .stop(let node): node.signal(SIGCONT)
        case .cut(let cut): cut.mend()
        case .transfer: break
        }
    }

    // MARK: Before the fault

    /// Waits until all is well, and has a node of this machine lead where that is needed.
    private func prepare() throws(DrillEnd) -> Plan {
        let status = try waitUntilHealthy { _ in true }
        guard let leader = status.nodes.first(where: { $0.id == status.leader }) else { throw .failed("nobody leads") }
        if !kind.isFault { return Plan(status: status, leader: leader, fault: .transfer) }
        let node: LocalNode
        do throws(CommandFailure) { node = try Self.victim(status, kind) } catch {
            throw .failed(error.lines.joined(separator: "; "))
        }
        guard node.id == leader.id else {
            try order(.post("/v1/leader/transfer", MemberCommands.encoded(LeadershipMoveDocument(to: node.id))))
            _ = try waitUntilHealthy { $0.leader == node.id }
            return try prepare()
        }
        return Plan(status: status, leader: leader, fault: try fault(of: node))
    }

    private func fault(of node: LocalNode) throws(DrillEnd) -> Fault {
        switch kind {
        case .kill: return .kill(node)
        case .stop: return .stop(node)
        case .cut:
            do throws(NetworkCut.Failure) { return .cut(try NetworkCut()) } catch { throw .failed(error.reason) }
        case .transfer: return .transfer
        }
    }

    /// The leader if it runs on this machine, else a voter that does.
    static func victim(_ status: StatusDocument, _ kind: DrillKind) throws(CommandFailure) -> LocalNode {
        let voters = status.nodes.filter { $0.member == .voter && $0.alive && (!$0.drained || $0.id == status.leader) }
        var reasons: [String] = []
        for node in voters.filter({ $0.id == status.leader }) + voters.filter({ $0.id != status.leader }) {
            do throws(LocalNode.Obstacle) { return try LocalNode(node, cluster: status.cluster) } catch {
                reasons.append("\(node.name) \(error.reason)")
            }
        }
        throw CommandFailure(
            .failure,
            Terminal.printable(
                "\(kind.rawValue) needs a voter's process on this machine: \(reasons.joined(separator: "; ")). "
                    + "Run it on a node as root, or use --kind transfer"))
    }

    private func order(_ call: AdminCall) throws(DrillEnd) {
        do throws(CommandFailure) { _ = try client.ask(call) } catch {
            throw .failed(error.lines.joined(separator: "; "))
        }
    }

    private func waitForAnswers(of service: SocketAddress, _ probe: DrillClient) throws(DrillEnd) {
        let deadline = Instant.now() + Self.answerLimit
        var answers = 0
        while answers < 20 {
            for request in probe.takeEnded() { answers = request.isAnswered ? answers + 1 : 0 }
            if Instant.now() > deadline {
                throw .failed(
                    "http://\(service)/ does not answer here; is this machine on the network of that address?")
            }
            try interruption.wait(milliseconds: 10)
        }
    }

    private func waitUntilHealthy(_ isAsWanted: (StatusDocument) -> Bool) throws(DrillEnd) -> StatusDocument {
        let deadline = Instant.now() + Self.healthLimit
        while true {
            for process in started { _ = process.poll() }
            let status = try? client.status()
            if let status, Self.isHealthy(status), isAsWanted(status) { return status }
            if Instant.now() > deadline {
                let state = status.map { StatusVerdict($0).line } ?? "no node answers"
                throw .failed("the cluster was not well within \(Self.healthLimit): \(state)")
            }
            try interruption.wait(milliseconds: 50)
        }
    }

    /// Backends do not matter here.
    private static func isHealthy(_ status: StatusDocument) -> Bool {
        status.quorum && status.leader != nil && status.nodes.allSatisfy(\.alive)
            && status.virtualAddresses.allSatisfy { $0.holder != nil }
    }
}
