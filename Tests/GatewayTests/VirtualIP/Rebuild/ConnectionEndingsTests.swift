import Gateway
import Posix
import Testing

private func records(_ count: Int, to address: String = "10.0.0.100") -> [ConnectionRecord] {
    (0..<count).map {
        ConnectionRecord(
            place: UInt32($0), local: SocketAddress(ip: IPAddress(address)!, port: 80),
            peer: SocketAddress(ip: IPAddress("192.0.2.7")!, port: UInt16($0)), rest: nil)
    }
}

@Suite struct ConnectionEndingsTests {
    private let start = Instant.zero + .seconds(100)

    /// Any of the questions may be lost.
    @Test func clientsAreAskedAgainAndAgain() {
        let all = records(2)
        var endings = ConnectionEndings()
        #expect(endings.nextDeadline == nil)
        endings.add(all, at: start)
        #expect(endings.nextDeadline == start)
        #expect(endings.turn(at: start) == all)
        var now = start
        for pause in ConnectionEndings.Limit.pauses {
            #expect(endings.turn(at: now) == [])
            now = now + pause
            #expect(endings.nextDeadline == now)
            #expect(endings.turn(at: now) == all)
        }
        #expect(endings.nextDeadline == nil && endings.count == 0)
        #expect(now > start + .seconds(10), "a neighbour's address is asked for three times, a second apart")
    }

    /// Each as often as it has to be, and never very many at one time.
    @Test func manyAreAskedByTurns() {
        let count = 1000
        var endings = ConnectionEndings()
        endings.add(records(count), at: start)
        var asked = [Int](repeating: 0, count: count)
        var most = 0
        while let now = endings.nextDeadline {
            let due = endings.turn(at: now)
            most = max(most, due.count)
            for record in due { asked[Int(record.peer.port)] += 1 }
        }
        #expect(asked.allSatisfy { $0 == ConnectionEndings.Limit.pauses.count + 1 })
        #expect(most < 2 * ConnectionEndings.Limit.burst)
    }

    @Test func thoseToOtherAddressesAreLeftToOthers() {
        let (first, second) = (records(1), records(1, to: "10.0.0.101"))
        var endings = ConnectionEndings()
        endings.add(first, at: start)
        endings.add(second, at: start)
        endings.keep(to: [IPAddress("10.0.0.101")!])
        #expect(endings.turn(at: start) == second)
        endings.keep(to: [])
        #expect(endings.nextDeadline == nil)
    }

    /// Until they were asked for the last time, whoever has the addresses then.
    @Test func whoIsStillAskedIsKnown() throws {
        let (first, second) = (records(2), records(1, to: "10.0.0.101"))
        var endings = ConnectionEndings()
        endings.add(first, at: start)
        endings.add(second, at: start)
        while let now = endings.nextDeadline {
            #expect(endings.pending(to: [IPAddress("10.0.0.100")!]) == first.map(\.flow))
            #expect(endings.pending(to: [IPAddress("10.0.0.101")!]) == second.map(\.flow))
            _ = endings.turn(at: now)
        }
        #expect(endings.pending(to: [IPAddress("10.0.0.100")!, IPAddress("10.0.0.101")!]) == [])
    }

    @Test func thereAreNeverTooMany() {
        let limit = ConnectionEndings.Limit.capacity
        var endings = ConnectionEndings()
        endings.add(records(100), at: start)
        endings.add(records(limit), at: start)
        #expect(endings.count == limit)
        endings.add(records(1, to: "10.0.0.101"), at: start)
        #expect(endings.count <= limit)
        var last: ConnectionRecord?
        while let now = endings.nextDeadline, last == nil {
            last = endings.turn(at: now).first { $0.local.ip == IPAddress("10.0.0.101") }
        }
        #expect(last != nil, "who came last is asked")
    }
}
