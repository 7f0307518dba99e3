import Gateway
import Posix
import Raft
import Testing

private let stamp = WallTime(millisecondsSince1970: 0)

private func id(_ number: UInt64) -> NodeID { NodeID(number) }

private func record(_ number: UInt64) -> MemberRecord {
    MemberRecord(
        id: id(number), name: "gw\(number)", raft: "10.0.0.\(number):1", admin: "10.0.0.\(number):2", version: "")
}

private func state(_ wishes: MemberChange.Wish...) -> ClusterState {
    var state = ClusterState()
    for number in UInt64(1)...3 { _ = state.apply(.describeMember(record(number), at: stamp)) }
    for wish in wishes { _ = state.apply(.changeMember(MemberChange(wish, author: "eva", at: stamp))) }
    return state
}

/// A real core that leads `membership` as node 1, alone where it can.
private func leader(_ membership: Membership, matched: [UInt64: UInt64] = [:]) -> Status {
    let core = Raft(
        Settings(id: id(1), seed: 1), recovered: RecoveredState(foundingMembership: membership), at: .zero)
    var status = core.status
    status.role = .leader
    status.peers = membership.everyone.filter { $0 != id(1) }.map {
        PeerStatus(
            id: $0, matched: LogIndex(matched[$0.number] ?? 0), lastContact: .zero, receivesSnapshot: false)
    }
    return status
}

@Suite struct MembershipStepTests {
    private let three = Membership(voters: [id(1), id(2), id(3)])

    private func next(_ state: ClusterState, _ status: Status, able: [UInt64] = [2, 3, 4]) -> MembershipStep? {
        MembershipStep.next(for: state, leader: status, able: Set(able.map(id)))
    }

    @Test func aDrainedLeaderHandsOverToTheClosestThatAnswersAndIsNotDrained() {
        let level = leader(Membership(voters: three.voters + [id(4)]), matched: [2: 9, 3: 8, 4: 7])
        #expect(next(state(.drain(id(1))), level) == .handOver(to: id(2)))
        #expect(next(state(.drain(id(1)), .drain(id(2))), level) == .handOver(to: id(3)))
        #expect(next(state(.drain(id(1))), level, able: [4]) == .handOver(to: id(4)))
        #expect(next(state(.drain(id(1)), .remove(id(2))), level) == .handOver(to: id(3)))
    }

    @Test func aDrainedLeaderStaysWhereNoOtherCanLead() {
        #expect(next(state(.drain(id(1))), leader(three), able: []) == nil)
        #expect(next(state(.drain(id(1)), .drain(id(2)), .drain(id(3))), leader(three)) == nil)
        #expect(next(state(.drain(id(2))), leader(three)) == nil)
        #expect(next(state(.drain(id(1)), .undrain(id(1))), leader(three)) == nil)
        var follower = leader(three)
        follower.role = .follower
        #expect(next(state(.drain(id(1))), follower) == nil)
    }

    @Test func nothingWantedIsNothingDone() {
        #expect(next(state(), leader(three)) == nil)
    }

    @Test func newNodesComeBeforeOldOnesGo() {
        let wishes = state(.remove(id(2)), .add(record(4), votes: true), .add(record(5), votes: false))
        #expect(next(wishes, leader(three)) == .change(.addVoter(id(4))))
        var later = Membership(voters: three.voters + [id(4)])
        #expect(next(wishes, leader(later)) == .change(.addLearner(id(5))))
        later.learners = [id(5)]
        #expect(next(wishes, leader(later)) == .change(.remove(id(2))))
        #expect(next(wishes, leader(Membership(voters: [id(1), id(3), id(4)], learners: [id(5)]))) == .forget([id(2)]))
    }

    @Test func aLearnerThatIsDownHoldsUpNoRemoval() {
        let wishes = state(.add(record(4), votes: false), .promote(id(4)), .remove(id(3)))
        let withLearner = Membership(voters: three.voters, learners: [id(4)])
        #expect(next(wishes, leader(withLearner)) == .change(.remove(id(3))))
        let removed = Membership(voters: [id(1), id(2)], learners: [id(4)])
        #expect(next(wishes, leader(removed)) == .forget([id(3)]))
        var forgotten = wishes
        _ = forgotten.apply(.forgetMembers([id(3)], at: stamp))
        #expect(next(forgotten, leader(removed)) == .change(.promote(id(4))))
    }

    @Test func aLeaderGoesLastAndHandsOverToTheClosestThatStays() {
        let wishes = state(.remove(id(1)), .remove(id(3)))
        #expect(next(wishes, leader(three)) == .change(.remove(id(3))))
        let four = Membership(voters: three.voters + [id(4)])
        let level = leader(four, matched: [2: 7, 3: 9, 4: 8])
        #expect(next(state(.remove(id(1))), level) == .handOver(to: id(3)))
        #expect(next(state(.remove(id(1)), .remove(id(3))), level) == .change(.remove(id(3))))
    }

    @Test func theLastVoterStays() {
        #expect(next(state(.remove(id(1))), leader(Membership(voters: [id(1)], learners: [id(2)]))) == nil)
    }

    @Test func oneChangeAtATimeAndOnlyTheLeaderMakesIt() {
        let wishes = state(.add(record(4), votes: true))
        var status = leader(three)
        status.membership.outgoingVoters = three.voters
        #expect(next(wishes, status) == nil)
        status = leader(three)
        status.membership.learners = [id(4)]
        #expect(next(wishes, status) == nil, "not committed yet")
        status = leader(three)
        status.role = .follower
        #expect(next(wishes, status) == nil)
    }
}

@Suite struct MemberWishTests {
    private func apply(_ wish: MemberChange.Wish, to state: ClusterState) -> Outcome {
        var state = state
        return state.apply(.changeMember(MemberChange(wish, author: "eva", at: stamp)))
    }

    @Test func whatCanNotBeIsRefused() {
        var clash = record(4)
        clash.name = "gw2"
        #expect(
            apply(.add(clash, votes: true), to: state()) == .refused(.member(.taken(what: "the name gw2", by: id(2)))))
        clash = record(4)
        clash.raft = record(3).raft
        #expect(
            apply(.add(clash, votes: true), to: state())
                == .refused(.member(.taken(what: "the address 10.0.0.3:1", by: id(3)))))
        #expect(apply(.add(record(2), votes: true), to: state()) == .refused(.member(.alreadyMember(id(2)))))
        #expect(apply(.promote(id(9)), to: state()) == .refused(.member(.notMember(id(9)))))
        #expect(apply(.remove(id(2)), to: state(.remove(id(2)))) == .unchanged)
    }

    @Test func drainingIsKeptUntilItIsTakenBackOrTheNodeIsRemoved() {
        var drained = state(.drain(id(2)))
        #expect(drained.drained == [id(2)])
        #expect(apply(.drain(id(2)), to: drained) == .unchanged)
        #expect(apply(.undrain(id(3)), to: drained) == .unchanged)
        #expect((try? ClusterState(decoding: drained.encoded())) == drained)
        #expect(drained.apply(.changeMember(MemberChange(.remove(id(2)), author: "eva", at: stamp))) == .applied)
        #expect(drained.drained.isEmpty)
        #expect(apply(.drain(id(2)), to: drained) == .refused(.member(.removedBefore(id(2)))))
    }

    @Test func anIdIsNeverUsedAgain() {
        var removed = state(.remove(id(2)))
        #expect(removed.apply(.forgetMembers([id(2), id(3)], at: stamp)) == .applied)
        #expect(removed.members.keys.sorted() == [id(1), id(3)])
        let refusal = Outcome.refused(.member(.removedBefore(id(2))))
        #expect(apply(.add(record(2), votes: true), to: removed) == refusal)
        #expect(apply(.promote(id(2)), to: removed) == refusal)
        #expect(removed.apply(.describeMember(record(2), at: stamp)) == refusal)
        #expect(removed.apply(.reportHealth(HealthReportChange(node: id(2), changes: [], at: stamp))) == refusal)
        #expect((try? ClusterState(decoding: removed.encoded())) == removed)
    }
}

@Suite struct MemberDirectoryTests {
    private func directory(
        _ state: ClusterState, _ membership: Membership, committed: Membership? = nil,
        peers: ClosedRange<UInt64> = 1...3
    ) -> MemberDirectory {
        let peers = peers.map { number in
            NodeConfiguration.Peer(
                id: id(number), name: "gw\(number)", raft: HostPort(host: "127.0.0.1", port: UInt16(number)),
                admin: .tcp(HostPort(host: "127.0.0.1", port: 100 + UInt16(number))))
        }
        let node = NodeConfiguration(
            cluster: "c", node: .init(id: id(1), name: "gw1"), dataDirectory: "d",
            admin: .tcp(HostPort(host: "127.0.0.1", port: 1)), peers: peers)
        return MemberDirectory(node: node, state: state, membership: membership, committed: committed ?? membership)
    }

    private let three = Membership(voters: [id(1), id(2), id(3)])

    @Test func aNodeThatKnowsNoClusterGoesByItsFile() {
        let waiting = directory(ClusterState(), Membership(voters: []))
        #expect(waiting.members.map(\.standing) == [.learner, .voter, .voter])
        #expect(waiting.addressBook(without: id(1)).map(\.address) == ["127.0.0.1:2", "127.0.0.1:3"])
    }

    @Test func addedNodesAreFoundByTheReplicatedAddressAndListedOnesByTheFile() {
        let added = directory(state(.add(record(4), votes: true)), three)
        #expect(
            added.addressBook(without: id(1)).map(\.address) == ["127.0.0.1:2", "127.0.0.1:3", "10.0.0.4:1"])
        #expect(added[id(4)]?.standing == .learner && added[id(4)]?.transition == .joining)
    }

    @Test func aRemovedNodeIsReachedUntilItsRemovalIsCommitted() {
        let wishes = state(.remove(id(3)))
        let two = Membership(voters: [id(1), id(2)])
        let leaving = directory(wishes, two, committed: three)
        #expect(leaving[id(3)]?.transition == .leaving && leaving.removed.isEmpty)
        #expect(leaving.addressBook(without: id(1)).map(\.id) == [id(2), id(3)])
        let gone = directory(wishes, two)
        #expect(gone[id(3)] == nil && gone.removed == [id(3)])
        #expect(gone.addressBook(without: id(1)).map(\.id) == [id(2)])
    }

    @Test func objections() {
        let here = directory(state(.remove(id(3))), three)
        #expect(here.objection(to: .add(record(2), votes: true)) == .alreadyMember(id(2)))
        #expect(here.objection(to: .remove(id(9))) == .notMember(id(9)))
        #expect(here.objection(to: .remove(id(1))) == nil)
        #expect(here.objection(to: .drain(id(9))) == .notMember(id(9)))
        #expect(here.objection(to: .drain(id(2))) == nil)
        let drained = directory(state(.drain(id(2))), three)
        #expect(drained.objection(toLeader: id(2), leader: id(1), connected: [id(2)]) == .drained(id(2)))
        #expect(drained[id(2)]?.isDrained == true && drained[id(1)]?.isDrained == false)
        let last = directory(state(), Membership(voters: [id(1)], learners: [id(2)]))
        #expect(last.objection(to: .remove(id(1))) == .lastVoter(id(1)))
        #expect(last.objection(toLeader: nil, leader: id(1), connected: [id(1)]) == .noOtherVoter)
        let full = directory(state(), Membership(voters: (1...7).map(id)), peers: 1...7)
        #expect(full.objection(to: .add(record(8), votes: true)) == .tooManyVoters(limit: 7))
        #expect(full.objection(to: .add(record(8), votes: false)) == nil)
        #expect(here.objection(toLeader: id(2), leader: id(1), connected: [id(1)]) == .unreachable(id(2)))
        #expect(here.objection(toLeader: id(3), leader: id(1), connected: [id(3)]) == .notVoter(id(3)))
        #expect(here.objection(toLeader: id(2), leader: id(1), connected: [id(2)]) == nil)
    }
}
