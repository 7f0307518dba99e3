import Posix
import Raft
import Testing

@Suite struct MembershipTests {
    private func change(_ cluster: inout CoreCluster, _ change: MembershipChange) throws {
        let leader = try #require(cluster.leader)
        try cluster.nodes[leader]!.core.changeMembership(change, at: cluster.now)
        cluster.settle()
    }

    private func join(_ cluster: inout CoreCluster, _ number: UInt64) throws {
        cluster.add(NodeID(number), recovered: RecoveredState(foundingMembership: Membership(voters: [])))
        try change(&cluster, .addLearner(NodeID(number)))
        cluster.run(.milliseconds(100), ticking: [NodeID(1)])
        try change(&cluster, .promote(NodeID(number)))
    }

    @Test func threeGrowToFiveAndShrinkToThreeOthers() throws {
        var cluster = CoreCluster()
        cluster.elect(1)
        for number in UInt64(4)...5 { try join(&cluster, number) }
        #expect(cluster[1].membership.voters.map(\.number) == [1, 2, 3, 4, 5])
        try change(&cluster, .remove(NodeID(2)))
        try change(&cluster, .remove(NodeID(3)))
        let membership = cluster[4].membership
        #expect(membership == Membership(voters: [NodeID(1), NodeID(4), NodeID(5)]))
        let id = cluster.propose(at: 5)
        #expect(cluster.hasApplied(id, at: 4) && !cluster.hasApplied(id, at: 2))
    }

    @Test func aNodeThatJoinsBecomesAVoterByItself() throws {
        var cluster = CoreCluster()
        cluster.elect(1)
        for _ in 0..<50 { cluster.propose(at: 1) }
        cluster.isolate(4)
        cluster.add(NodeID(4), recovered: RecoveredState(foundingMembership: Membership(voters: [])))
        try change(&cluster, .addVoter(NodeID(4)))
        cluster.run(.milliseconds(200), ticking: [NodeID(1)])
        #expect(cluster[1].membership.joining == [NodeID(4)], "a node that does not answer gets no vote")
        cluster.release()
        cluster.run(.milliseconds(100), ticking: [NodeID(1)])
        #expect(cluster[4].membership == Membership(voters: (1...4).map { NodeID($0) }))
    }

    @Test func aRemovedNodeLearnsIt() throws {
        var cluster = CoreCluster()
        cluster.elect(1)
        try change(&cluster, .remove(NodeID(3)))
        cluster.run(.milliseconds(20))
        #expect(!cluster[3].status.isMember && cluster[3].nextDeadline == .distantFuture)
        #expect(cluster[2].status.isMember)
        cluster.run(.milliseconds(400))
        cluster.forgetSent()
        cluster.run(.milliseconds(50))
        #expect(!cluster.sent.contains { $0.to == NodeID(3) })
    }

    @Test func tooManyMembersAreRefused() throws {
        var limits = Limits()
        limits.members = 3
        var cluster = CoreCluster(limits: limits)
        cluster.elect(1)
        #expect(throws: MembershipRefusal.tooManyMembers) {
            try cluster[1].changeMembership(.addLearner(NodeID(4)), at: cluster.now)
        }
    }

    @Test func aNodeThatWaitsToJoinStaysPassive() {
        var cluster = CoreCluster([NodeID(1), NodeID(2), NodeID(3), NodeID(9)], voters: CoreCluster.ids)
        cluster.nodes[NodeID(9)] = nil
        cluster.add(NodeID(9), recovered: RecoveredState(foundingMembership: Membership(voters: [])))
        cluster.run(.milliseconds(300), ticking: [NodeID(9)])
        #expect(cluster[9].role == .follower && cluster[9].nextDeadline == .distantFuture)
    }

    @Test func learnersFollowWithoutAVote() throws {
        var cluster = CoreCluster()
        cluster.elect(1)
        cluster.add(NodeID(4), recovered: RecoveredState(foundingMembership: Membership(voters: [])))
        try change(&cluster, .addLearner(NodeID(4)))
        let id = cluster.propose(at: 4)
        #expect(cluster.hasApplied(id, at: 4))
        cluster.nodes[NodeID(2)]!.isStopped = true
        cluster.nodes[NodeID(3)]!.isStopped = true
        let lost = cluster.propose(at: 1)
        #expect(!cluster.hasApplied(lost, at: 1))
    }

    @Test("removed server disrupts: not those that stay")
    func removedServerDoesNotDisrupt() throws {
        var cluster = CoreCluster()
        cluster.elect(1)
        cluster.isolate(3)
        try change(&cluster, .remove(NodeID(3)))
        let term = cluster[1].term
        cluster.release()
        cluster.run(.milliseconds(500))
        #expect(cluster[1].role == .leader && cluster[1].term == term)
    }

    @Test("leader removes itself: another takes over at once")
    func leaderRemovesItself() throws {
        var cluster = CoreCluster()
        cluster.elect(1)
        let began = cluster.now
        try change(&cluster, .remove(NodeID(1)))
        #expect(cluster[1].role == .follower)
        #expect(cluster.leader != nil && cluster.now == began)
        let leader = try #require(cluster.leader)
        #expect(cluster.nodes[leader]!.core.membership.voters.map(\.number) == [2, 3])
        cluster.run(.milliseconds(300))
        #expect(cluster[1].role == .follower)
    }

    @Test("two-node removal: the node that leaves may be needed to commit its leaving")
    func removalOfOneOfTwo() throws {
        var cluster = CoreCluster([NodeID(1), NodeID(2)])
        cluster.elect(1)
        // 2 gets the joint configuration, but not the last one; then leadership is lost.
        cluster.holds = { sent in
            guard case .appendRequest(let request) = sent.message else { return false }
            return request.entries.contains { entry in
                if case .membership(let membership) = entry.payload { !membership.isJoint } else { false }
            }
        }
        try change(&cluster, .remove(NodeID(1)))
        #expect(cluster[1].membership.voters == [NodeID(2)] && cluster[2].membership.isJoint)
        cluster.holds = { _ in true }
        cluster.run(.milliseconds(150))
        #expect(cluster.leader == nil)
        cluster.holds = { _ in false }
        cluster.run(.milliseconds(500))
        #expect(cluster.leader == NodeID(2))
        #expect(cluster[2].membership == Membership(voters: [NodeID(2)]))
        let id = cluster.propose(at: 2)
        #expect(cluster.hasApplied(id, at: 2))
    }

    @Test func aMembershipThatIsTruncatedIsUndone() throws {
        var cluster = CoreCluster()
        cluster.elect(1)
        cluster.isolate(1)
        try change(&cluster, .remove(NodeID(3)))
        #expect(cluster[1].membership.isJoint)
        cluster.elect(2)
        cluster.release()
        cluster.run(.milliseconds(100))
        #expect(cluster[1].membership == Membership(voters: CoreCluster.ids))
    }

    @Test func aNewLeaderFinishesAJointChange() throws {
        var cluster = CoreCluster((1...5).map { NodeID($0) })
        cluster.elect(1)
        cluster.holds = { sent in
            guard case .appendRequest(let request) = sent.message else { return false }
            return request.entries.contains { entry in
                if case .membership(let membership) = entry.payload { !membership.isJoint } else { false }
            }
        }
        try change(&cluster, .remove(NodeID(5)))
        cluster.nodes[NodeID(1)]!.isStopped = true
        cluster.holds = { _ in false }
        cluster.run(.milliseconds(500))
        let leader = try #require(cluster.leader)
        #expect(leader != NodeID(1))
        #expect(cluster.nodes[leader]!.core.membership.voters.map(\.number) == [1, 2, 3, 4])
        #expect(!cluster.nodes[leader]!.core.membership.isJoint)
    }

    @Test("raft-dev 2015: no change before an entry of the present term is committed, and one at a time")
    func oneChangeAtATime() throws {
        var cluster = CoreCluster()
        cluster.holds = { $0.message.lane == .bulk }
        cluster.run(.milliseconds(150), ticking: [NodeID(1)])
        #expect(throws: MembershipRefusal.changeUnderWay) {
            try cluster[1].changeMembership(.addLearner(NodeID(4)), at: cluster.now)
        }
        cluster.release()
        cluster.elect(1)
        cluster.isolate(1)
        try cluster[1].changeMembership(.addLearner(NodeID(4)), at: cluster.now)
        #expect(throws: MembershipRefusal.changeUnderWay) {
            try cluster[1].changeMembership(.addLearner(NodeID(5)), at: cluster.now)
        }
    }

    @Test("a node that is leaving campaigns, though its snapshot is older than its vote (dissertation, section 4.2.2)")
    func leavingNodeHelpsAfterARestart() {
        let (one, two) = (NodeID(1), NodeID(2))
        let changes = [
            Membership(voters: [one, two]), Membership(voters: [two], outgoingVoters: [one, two]),
            Membership(voters: [two]),
        ]
        let entries = changes.enumerated().map { offset, membership in
            Entry(term: Term(1), index: LogIndex(UInt64(3 + offset)), payload: .membership(membership))
        }
        let before = Membership(voters: [two], joining: [one])
        // The last change reached the node that leaves; the one that stays lost it before it was durable.
        let recovered = [(one, entries), (two, Array(entries.dropLast()))].map { node, entries in
            let snapshot = Snapshot(index: LogIndex(2), term: Term(1), membership: before, state: [])
            return (
                node,
                RecoveredState(
                    hardState: HardState(term: Term(1)), snapshot: snapshot, entries: entries,
                    foundingMembership: before)
            )
        }
        var cluster = CoreCluster([one, two], recovered: Dictionary(uniqueKeysWithValues: recovered))
        cluster.run(.seconds(2))
        #expect(cluster[2].role == .leader && cluster[2].commit > entries[2].index)
    }

    @Test func impossibleChangesAreRefused() throws {
        var cluster = CoreCluster()
        cluster.elect(1)
        let refusals: [(MembershipChange, MembershipRefusal)] = [
            (.addLearner(NodeID(2)), .alreadyMember), (.addVoter(NodeID(2)), .alreadyMember),
            (.promote(NodeID(2)), .notMember),
            (.remove(NodeID(9)), .notMember),
        ]
        for (change, refusal) in refusals {
            #expect(throws: refusal) { try cluster[1].changeMembership(change, at: cluster.now) }
        }
        #expect(throws: MembershipRefusal.notLeader(leader: NodeID(1))) {
            try cluster[2].changeMembership(.remove(NodeID(3)), at: cluster.now)
        }
        var single = CoreCluster([NodeID(1)])
        single.elect(1)
        #expect(throws: MembershipRefusal.lastVoter) {
            try single[1].changeMembership(.remove(NodeID(1)), at: single.now)
        }
    }

    @Test func aLearnerThatTrailsIsNotPromoted() throws {
        var cluster = CoreCluster()
        cluster.elect(1)
        try change(&cluster, .addLearner(NodeID(4)))
        #expect(throws: MembershipRefusal.notCaughtUp) {
            try cluster[1].changeMembership(.promote(NodeID(4)), at: cluster.now)
        }
    }
}
