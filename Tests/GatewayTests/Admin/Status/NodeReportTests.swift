import Gateway
import Posix
import Testing

@Suite struct NodeReportTests {
    private let report = Sample.report(
        .leader, pid: 7, applied: 3, holds: [IPAddress("127.0.0.100")!, IPAddress("fd00::1")!], active: 3)

    @Test func roundTrip() throws {
        #expect(try NodeReport(decoding: report.encoded()) == report)
        var ejecting = report
        ejecting.ejected = [FakeNode.backend]
        ejecting.problems = ["listener web: no certificate", "listener api: no key"]
        ejecting.moved = MovedConnections(away: 1, here: 2, lost: 3, guarded: 4)
        ejecting.rebuilt = RebuiltConnections(here: 1, ended: 2, gone: 3, known: 4, refused: 5, shared: 6)
        ejecting.queues = [UpstreamQueue(upstream: "app", waiting: 3, isUpstreamFull: true)]
        ejecting.guardIdentity = GuardIdentity(pid: 8, version: "1.2")
        #expect(try NodeReport(decoding: ejecting.encoded()) == ejecting)
    }

    @Test func cutShortOrLongerIsRefused() {
        let bytes = report.encoded()
        for length in 0..<bytes.count {
            #expect(throws: DecodingFault.self) { try NodeReport(decoding: Array(bytes.prefix(length))) }
        }
        #expect(throws: DecodingFault.trailingBytes(offset: bytes.count)) {
            try NodeReport(decoding: bytes + [0])
        }
        #expect(throws: DecodingFault.unknownVersion(99)) { try NodeReport(decoding: [99]) }
    }

    @Test func theBusiestBackendsFit() throws {
        var report = report
        for port in UInt16(1)...1000 {
            let address = SocketAddress(ip: IPAddress(v4: 1), port: port)
            let name = String(repeating: "x", count: Command.Limit.nameBytes)
            report.activeRequests[BackendKey(upstream: name, address: address)] = Int(port)
            report.ejected.append(BackendKey(upstream: name, address: address))
            report.queues.append(UpstreamQueue(upstream: name, waiting: Int(port), isUpstreamFull: false))
        }
        report.problems = Array(repeating: String(repeating: "x", count: 1000), count: 20)
        let bytes = report.encoded()
        #expect(bytes.count <= 64 << 10)
        #expect(try NodeReport(decoding: bytes).problems.count == NodeReport.Limit.problems)
        let kept = try NodeReport(decoding: bytes).activeRequests
        #expect(kept.count == NodeReport.Limit.backends)
        #expect(kept.values.min() == 811)
        #expect(try NodeReport(decoding: bytes).ejected.count == NodeReport.Limit.ejected)
        let queues = try NodeReport(decoding: bytes).queues
        #expect(queues.map(\.waiting) == Array((993...1000).reversed()))
    }

    @Test(arguments: UInt64(1)...300)
    func anyBytesAreHarmless(seed: UInt64) {
        var random = RandomSource(seed: seed)
        var bytes = report.encoded()
        for _ in 0..<4 { bytes[Int(random.below(UInt32(bytes.count)))] = UInt8(random.below(256)) }
        _ = try? NodeReport(decoding: bytes)
    }
}
