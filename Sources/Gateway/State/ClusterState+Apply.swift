import Posix
import Raft

extension ClusterState {
    /// Carries out one command. A refused command changes nothing.
    package mutating func apply(_ command: Command) -> Outcome {
        switch command {
        case .applyConfiguration(let change): apply(change)
        case .setBackendMode(let change): apply(change)
        case .reportHealth(let change): apply(change)
        case .leaderElected(let record): apply(record)
        case .virtualAddressesMoved(let record): apply(record)
        case .describeMember(let record, let time): describe(record, at: time)
        case .forgetReports(let nodes, let time): forgetReports(of: nodes, at: time)
        case .changeMember(let change): apply(change)
        case .forgetMembers(let nodes, let time): forgetMembers(nodes, at: time)
        case .moveLeadership(let move): apply(move)
        case .register(let change): apply(change)
        case .deregister(let change): apply(change)
        case .expireRegistrations(let serials, let time): expireRegistrations(serials, at: time)
        case .rotateTicketKeys(let entry): ticketKeys.add(entry)
        case .decideScaling(let decision): apply(decision)
        case .acknowledgeScaling(let acknowledgement): apply(acknowledgement)
        case .changeLoan(let change): apply(change)
        }
    }

    private mutating func apply(_ change: ConfigurationChange) -> Outcome {
        if let expected = change.expectedRevision, expected != revision {
            return .refused(.revisionConflict(expected: expected, current: revision))
        }
        if let configuration { keepForRollback(configuration) }
        let record = ConfigurationRecord(
            revision: revision.next, source: change.source, virtualAddresses: change.virtualAddresses,
            spreadsAddresses: change.spreadsAddresses, author: change.author, at: change.at)
        configuration = record
        withdrawRegistrations(configuredAs: change.backends)
        let known = backends
        backends = [:]
        for key in change.backends + registeredBackends { backends[key] = known[key] ?? BackendRecord() }
        journal.append(.configurationApplied(record.revision, author: change.author), at: change.at)
        return .configured(record.revision)
    }

    private mutating func keepForRollback(_ record: ConfigurationRecord) {
        history.append(record)
        var bytes = history.reduce(0) { $0 + $1.source.utf8.count }
        while history.count > Limit.history || bytes > Limit.historyBytes {
            bytes -= history.removeFirst().source.utf8.count
        }
    }

    private mutating func apply(_ change: BackendModeChange) -> Outcome {
        guard let record = backends[change.backend] else {
            let upstreamExists = backends.keys.contains { $0.upstream == change.backend.upstream }
            return .refused(
                upstreamExists ? .unknownBackend(change.backend) : .unknownUpstream(change.backend.upstream))
        }
        if record.mode == change.mode { return .unchanged }
        backends[change.backend]?.mode = change.mode
        journal.append(.backendModeChanged(change.backend, change.mode, author: change.author), at: change.at)
        return .applied
    }

    /// Reports on backends that a newer configuration has removed are left out: the reporter had not heard of it.
    private mutating func apply(_ report: HealthReportChange) -> Outcome {
        if aims[report.node] == .removed { return .refused(.member(.removedBefore(report.node))) }
        var changed = false
        for change in report.changes where backends[change.backend] != nil {
            let verdict = change.verdict.status == .unknown ? nil : change.verdict
            if setVerdict(verdict, of: report.node, on: change.backend, at: report.at) { changed = true }
        }
        return changed ? .applied : .unchanged
    }

    mutating func forgetReports(of nodes: [NodeID], at time: WallTime) -> Outcome {
        var changed = false
        for key in backends.keys.sorted() {
            for node in nodes where setVerdict(nil, of: node, on: key, at: time) { changed = true }
        }
        return changed ? .applied : .unchanged
    }

    private mutating func setVerdict(
        _ verdict: HealthVerdict?, of node: NodeID, on key: BackendKey, at time: WallTime
    ) -> Bool {
        guard var record = backends[key], record.verdict(of: node) != verdict else { return false }
        let before = record.agreedVerdict.status
        record.reports.removeAll { $0.node == node }
        if let verdict {
            let place = record.reports.firstIndex { node < $0.node } ?? record.reports.endIndex
            record.reports.insert(HealthReport(node: node, verdict: verdict, since: time), at: place)
        }
        backends[key] = record
        let after = record.agreedVerdict
        if after.status != before { journal.append(.backendHealthChanged(key, after), at: time) }
        return true
    }

    private mutating func apply(_ record: LeaderRecord) -> Outcome {
        if let leader {
            if record.term < leader.term { return .refused(.staleTerm(record.term, current: leader.term)) }
            if record.term == leader.term { return .unchanged }
        }
        leader = record
        journal.append(.leaderElected(record.node, term: record.term), at: record.at)
        return .applied
    }

    private mutating func apply(_ record: VirtualAddressRecord) -> Outcome {
        if let current = virtualAddressHolder {
            if record.term < current.term { return .refused(.staleTerm(record.term, current: current.term)) }
            // A release is final in its term, so a claim that arrives after it was overtaken on the way.
            if record.term == current.term && current.holder == nil { return .unchanged }
            if record.term == current.term && record.holder == current.holder { return .unchanged }
        }
        virtualAddressHolder = record
        let event: JournalEvent =
            if let holder = record.holder {
                .virtualAddressesTaken(by: holder, term: record.term)
            } else {
                .virtualAddressesReleased(term: record.term)
            }
        journal.append(event, at: record.at)
        return .applied
    }

    /// Nothing but a note: the leader of the entry's term acts on it when it applies it.
    private mutating func apply(_ move: LeadershipMove) -> Outcome {
        journal.append(.leadershipMoveWanted(to: move.target, author: move.author), at: move.at)
        return .applied
    }

    private mutating func describe(_ record: MemberRecord, at time: WallTime) -> Outcome {
        if aims[record.id] == .removed { return .refused(.member(.removedBefore(record.id))) }
        if members[record.id] == record { return .unchanged }
        if members[record.id] == nil && members.count == Limit.members {
            return .refused(.tooMany(what: "members", limit: Limit.members))
        }
        members[record.id] = record
        journal.append(.memberDescribed(record.id, name: record.name, version: record.version), at: time)
        return .applied
    }
}
