import FoundationEssentials
import Gateway
import Testing
import gwnode

@Suite struct StatusReportTests {
    @Test func degradedCluster() throws {
        let expected = """
            cluster demo: leader gw1, term 3, quorum, configuration 4
            virtual address 127.0.0.100  held by gw1

            NODE  ID  MEMBER  ROLE         TERM  COMMIT  APPLIED  TRAILS  FENCE   PID  VERSION  RAFT            ADMIN
            gw1    1  voter   leader          3      17       17       0  kernel  101  0.1.0    127.0.0.1:8101  127.0.0.1:8091
            gw2    2  voter   follower        3      17       15       2  kernel  102  0.1.0    127.0.0.1:8102  127.0.0.1:8092
            gw3    3  voter   unreachable     -       -        -       -  kernel    -  -        127.0.0.1:8103  127.0.0.1:8093
            gw1 passed 7 open connections on, took 5 over and lost 1
            gw1 rebuilt 9 open connections of dead nodes and ended 2

            UPSTREAM  ALGORITHM    BACKEND      WEIGHT  MODE      HEALTH  ACTIVE  REASON
            app       round-robin  10.0.0.1:80       1  enabled   up           5  connected
                                   10.0.0.2:80       5  draining  down         0  connect refused

            gw3 is unreachable; app 10.0.0.2:80 is down (connect refused)

            """
        #expect(StatusReport.text(try Sample.degraded(), coloured: false) == expected)
    }

    @Test func aGuardOfAnotherVersionIsNamed() throws {
        var status = try Sample.healthy()
        status.nodes[0].guard = GuardIdentity(pid: 4711, version: "0.0.9")
        status.nodes[1].guard = GuardIdentity(pid: 4712, version: "0.1.0")
        let text = StatusReport.text(status, coloured: false)
        #expect(text.contains("\ngw1 has a guard of version 0.0.9, process 4711\n"))
        #expect(!text.contains("4712"))
    }

    @Test func requestsThatWaitAreNamed() throws {
        var status = try Sample.healthy()
        status.upstreams[0].queue = try JSONDecoder().decode(
            StatusDocument.Queue.self,
            from: Data(#"{"waiting":12,"reason":"12 at gw1, where limits.requests (100) is reached"}"#.utf8))
        let text = StatusReport.text(status, coloured: false)
        #expect(
            text.hasSuffix(
                """

                upstream app: 12 requests wait: 12 at gw1, where limits.requests (100) is reached

                healthy

                """))
    }

    @Test func colouredTextSaysTheSame() throws {
        let status = try Sample.degraded()
        var text = StatusReport.text(status, coloured: true)
        #expect(text.contains("\u{1b}[31munreachable\u{1b}[0m"))
        for code in [0, 1, 2, 31, 32] { text.replace("\u{1b}[\(code)m", with: "") }
        #expect(text == StatusReport.text(status, coloured: false))
    }
}

@Suite struct StatusVerdictTests {
    @Test func healthy() throws {
        let verdict = StatusVerdict(try Sample.healthy())
        #expect(verdict.code == .success && verdict.line == "healthy")
    }

    @Test func eachTroubleDegrades() throws {
        #expect(StatusVerdict(try Sample.degraded()).complaints.count == 2)
        var status = try Sample.healthy()
        status.virtualAddresses[0].holder = nil
        #expect(StatusVerdict(status).complaints == ["virtual address 127.0.0.100 is held by no node"])
        #expect(StatusVerdict(status).code == .failure)
        status = try Sample.healthy()
        status.leader = nil
        #expect(StatusVerdict(status).complaints == ["no leader is known"])
        status = try Sample.healthy()
        status.nodes[1].problems = ["listener web: its certificates can not be used"]
        #expect(StatusVerdict(status).complaints == ["gw2: listener web: its certificates can not be used"])
        #expect(StatusVerdict(status).code == .failure)
    }

    @Test func withoutQuorumThatIsWhatMatters() throws {
        var status = try Sample.degraded()
        status.quorum = false
        #expect(StatusVerdict(status).code == .noQuorum)
        #expect(StatusVerdict(status).line.hasPrefix("no quorum"))
    }

    /// Somebody who disabled a backend knows that it is down.
    @Test func disabledBackendsAreNoTrouble() throws {
        var status = try Sample.healthy()
        status.upstreams[0].backends[0].healthy = false
        status.upstreams[0].backends[0].mode = "disabled"
        #expect(StatusVerdict(status).code == .success)
    }
}
