import Raft
import Testing

@Suite struct QuorumTests {
    private func nodes(_ numbers: [UInt64]) -> [NodeID] { numbers.map { NodeID($0) } }

    @Test(
        "commit index by clever incremental structure (openraft#1802): it is what a sorted list says",
        arguments: [
            ([5], 5), ([5, 3], 3), ([5, 3, 9], 5), ([9, 9, 1, 1], 1), ([7, 7, 7, 1, 1], 7), ([1, 2, 3, 4, 5], 3),
        ] as [([UInt64], UInt64)])
    func majorityValue(values: [UInt64], expected: UInt64) {
        let membership = Membership(voters: nodes(values.indices.map { UInt64($0) + 1 }))
        #expect(membership.majorityValue { values[Int($0.number) - 1] } == expected)
    }

    @Test func aJointChangeNeedsBothMajorities() {
        let joint = Membership(voters: nodes([1, 2, 3]), outgoingVoters: nodes([3, 4, 5]))
        #expect(joint.hasMajority { [1, 2, 4, 5].contains($0.number) })
        #expect(!joint.hasMajority { [1, 2, 3].contains($0.number) })
        #expect(joint.majorityValue { $0.number <= 3 ? UInt64(9) : 2 } == 2)
    }

    @Test func learnersDoNotCount() {
        let membership = Membership(voters: nodes([1, 2, 3]), learners: nodes([4, 5, 6]))
        #expect(!membership.hasMajority { $0.number > 2 })
    }

    @Test func nobodyIsNoMajority() {
        let membership = Membership(voters: [])
        #expect(!membership.hasMajority { _ in true })
        #expect(membership.majorityValue { $0.number } == nil)
    }
}
