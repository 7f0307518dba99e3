import Posix
import Raft
import Testing

@Suite(.timeLimit(.minutes(1)))
struct DiskStallTests {
    @Test func aLeaderWhoseDiskStallsStepsDown() throws {
        let cluster = TestCluster(3)
        // Every write takes longer than this.
        cluster.options = { $0.diskStallLimit = Nanoseconds(1) }
        try cluster.start()
        let first = try cluster.leader()
        let term = cluster.nodes[first]!.status!.raft.term
        #expect(
            cluster.board.wait {
                cluster.nodes.values.contains { node in
                    guard let raft = node.status?.raft else { return false }
                    return raft.term > term && raft.leader != nil && raft.leader != first
                }
            })
    }
}
