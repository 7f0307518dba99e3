import Gateway
import Posix
import Testing

private func records(_ ports: UInt16...) -> [ConnectionRecord] {
    ConnectionRecord.all(
        of: ports.map {
            ConnectionRecord.Flow(
                local: SocketAddress(ip: IPAddress("10.0.0.100")!, port: 80),
                peer: SocketAddress(ip: IPAddress("192.0.2.7")!, port: $0))
        })
}

@Suite struct UnsettledBequestsTests {
    private let start = Instant.zero + .seconds(100)

    @Test func whatDoesNotGoOnEnds() {
        var bequests = UnsettledBequests()
        bequests.add(records(1, 2), at: start)
        bequests.add(records(3), at: start)
        let ended = bequests.settle(goingOn: [records(2)[0].flow, records(9)[0].flow])
        #expect(ended.map(\.peer.port) == [1, 3])
        #expect(bequests.deadline == nil && bequests.settle(goingOn: []) == [], "once")
    }

    /// Nobody had told this node of them.
    @Test func whatTheGuardAloneKnewEndsToo() {
        var bequests = UnsettledBequests()
        bequests.add(records(1, 2), at: start)
        let flows = records(1, 2, 3, 4).map(\.flow)
        let ended = bequests.settle(goingOn: [flows[1], flows[3]], ended: [flows[0], flows[2], flows[2], flows[3]])
        #expect(ended.map(\.peer.port) == [1, 3], "each once, and none that goes on")
        #expect(bequests.settle(goingOn: [], ended: [flows[2]]).map(\.peer.port) == [3])
    }

    @Test func ofWhatNothingIsSaidEnds() throws {
        var bequests = UnsettledBequests()
        #expect(bequests.deadline == nil && bequests.expire(at: start) == [])
        bequests.add(records(1), at: start)
        bequests.add([], at: start + .seconds(1))
        #expect(bequests.deadline == start + UnsettledBequests.patience)
        bequests.add(records(2), at: start + .seconds(2))
        let deadline = try #require(bequests.deadline)
        #expect(deadline == start + .seconds(2) + UnsettledBequests.patience, "the later ones may come as late")
        #expect(bequests.expire(at: deadline - .microseconds(1)) == [])
        #expect(bequests.expire(at: deadline).map(\.peer.port) == [1, 2])
        #expect(bequests.deadline == nil)
    }
}
