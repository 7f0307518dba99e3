import Gateway
import Posix
import Synchronization
import Testing
import gwnode

private let one = AdminPlace.tcp(HostPort(host: "10.0.0.1", port: 1))
private let two = AdminPlace.tcp(HostPort(host: "10.0.0.2", port: 2))

/// Answers as it was told, node by node, and counts who was asked.
private final class Script: Sendable {
    typealias Reply = Result<AdminAnswer, AdminExchangeError>

    private let replies: [AdminPlace: Reply]
    private let askedNodes = Mutex<[AdminPlace]>([])

    init(_ replies: [AdminPlace: Reply]) { self.replies = replies }

    var asked: [AdminPlace] { askedNodes.withLock { $0 } }

    var client: ClusterClient {
        ClusterClient(addresses: [one, two]) { _, address throws(AdminExchangeError) in
            self.askedNodes.withLock { $0.append(address) }
            return try self.replies[address]!.get()
        }
    }
}

private func answer(_ status: UInt16, _ body: [UInt8] = []) -> Script.Reply {
    .success(AdminAnswer(status: status, entityTag: nil, body: body))
}

private func document(_ status: StatusDocument) -> Script.Reply { answer(200, AdminResponse.json(status).body) }

private func problem(_ status: UInt16, _ detail: String, _ problems: [String]? = nil) -> Script.Reply {
    answer(status, AdminResponse.problem(status, detail, problems: problems).body)
}

private let read = AdminCall(method: .get, target: "/v1/config", timeout: .seconds(1))
private let write = AdminCall(method: .put, target: "/v1/config", timeout: .seconds(1))

@Suite struct ClusterClientTests {
    @Test func deadNodesAreSkipped() throws {
        let script = Script([one: .failure(.notSent("refused")), two: document(try Sample.healthy())])
        #expect(try script.client.status() == Sample.healthy())
        #expect(script.asked == [one, two])
    }

    /// An isolated node must not speak for a cluster that works.
    @Test func aNodeWithQuorumIsBelievedFirst() throws {
        var isolated = try Sample.degraded()
        isolated.quorum = false
        let both = Script([one: document(isolated), two: document(try Sample.healthy())])
        #expect(try both.client.status().quorum)
        let alone = Script([one: document(isolated), two: .failure(.noAnswer("no answer in time"))])
        #expect(try alone.client.status() == isolated)
    }

    @Test func nobodyReachableNamesEveryNode() {
        let script = Script([one: .failure(.notSent("refused")), two: answer(200, Array("<html>".utf8))])
        let failure = #expect(throws: CommandFailure.self) { try script.client.status() }
        #expect(failure?.code == .unreachable)
        #expect(
            failure?.lines == [
                "no node answers (10.0.0.1:1: refused; 10.0.0.2:2: it gives no status as gwnode does (HTTP status 200)); "
                    + "is one running, and is --admin or GWNODE_ADMIN right?"
            ])
    }

    @Test func validatorsLinesAreLeftAsTheyAre() {
        let lines = ["g.json5:1:2: routes: missing; add it", "g.json5:3:4: x: y; z"]
        let script = Script([one: problem(422, "two problems", lines), two: answer(200)])
        #expect(throws: CommandFailure(.failure, lines: lines)) { try script.client.ask(write) }
        #expect(script.asked == [one])
    }

    @Test func aWriteIsNotRepeatedWhenItMayHaveBeenDone() {
        let script = Script([one: .failure(.noAnswer("no answer in time")), two: answer(200)])
        let failure = #expect(throws: CommandFailure.self) { try script.client.ask(write) }
        #expect(
            failure?.lines == [
                "10.0.0.1:1: no answer in time; whether it was done is unknown, see `gwnode status`"
            ])
        #expect(script.asked == [one])
    }

    @Test func aReadIsRepeated() throws {
        let script = Script([one: .failure(.noAnswer("no answer in time")), two: answer(200)])
        #expect(try script.client.ask(read).status == 200)
    }

    @Test func anotherNodeMayHaveTheQuorum() throws {
        let script = Script([one: problem(503, "no leader"), two: answer(200)])
        #expect(try script.client.ask(write).status == 200)
        let none = Script([one: problem(503, "no leader"), two: .failure(.notSent("refused"))])
        #expect(throws: CommandFailure(.noQuorum, "10.0.0.1:1: no leader")) { try none.client.ask(write) }
    }
}
