import FoundationEssentials
import Gateway
import Testing
import gwnode

@Suite struct TopReportTests {
    private static func live() throws -> LiveDocument {
        func rates(_ requests: Double, errors: Double = 0, p99: String = "12.5") -> String {
            """
            {"requestsPerSecond":\(requests),"errorsPerSecond":\(errors),"retriesPerSecond":0,"p50Milliseconds":0.26,
             "p90Milliseconds":1,"p99Milliseconds":\(p99)}
            """
        }
        func node(_ id: Int, known: Bool, _ upstreams: String) -> String {
            """
            {"id":\(id),"name":"gw\(id)","known":\(known),"rates":\(rates(600, errors: 2)),"activeRequests":3,
             "clientConnections":40,"receivedBytesPerSecond":10,"sentBytesPerSecond":2500,"upstreams":[\(upstreams)]}
            """
        }
        let text = """
            {"at":"2026-11-22T13:07:05.123Z","total":\(rates(1234.6, errors: 2)),
             "nodes":[\(node(1, known: true, "{\"name\":\"app\",\"rates\":\(rates(600))}")),\(node(2, known: false, ""))],
             "upstreams":[{"name":"app","rates":\(rates(12.34, p99: "2500"))},
                          {"name":"idle","rates":\(rates(0, p99: "null"))}]}
            """
        return try JSONDecoder().decode(LiveDocument.self, from: Data(text.utf8))
    }

    @Test func showsAllByUpstreamAndNode() throws {
        let lines = TopReport.lines(try Self.live(), coloured: false)
        #expect(
            lines == [
                "gwnode top, 2026-11-22T13:07:05.123Z",
                "          REQUESTS/S  ERRORS/S  RETRIES/S     P50  P90     P99  ACTIVE  CLIENTS  SENT/S",
                "all             1235         2          0  0.26ms  1ms  12.5ms       6       80     5kB",
                "  app           12.3         0          0  0.26ms  1ms    2.5s                         ",
                "  idle             0         0          0  0.26ms  1ms       -                         ",
                "gw1              600         2          0  0.26ms  1ms  12.5ms       3       40   2.5kB",
                "  app            600         0          0  0.26ms  1ms  12.5ms                         ",
                "gw2     not heard of                                                                   ",
            ])
    }

    @Test(arguments: [(3, 20), (1, 1), (100, 60)])
    func keepsWithinTheScreen(rows: Int, columns: Int) throws {
        for coloured in [false, true] {
            let lines = TopReport.lines(try Self.live(), coloured: coloured, rows: rows, columns: columns)
            #expect(lines.count <= rows)
            for line in lines {
                #expect(Self.withoutColours(line).count <= columns)
                #expect(!coloured || line.components("\u{1b}[") % 2 == 0, "every colour ends: \(line)")
            }
        }
    }

    @Test func coloursChangeNoWord() throws {
        let coloured = TopReport.lines(try Self.live(), coloured: true)
        #expect(coloured.map(Self.withoutColours) == TopReport.lines(try Self.live(), coloured: false))
        #expect(coloured[2].contains("\u{1b}[31m2"), "errors are red")
    }

    private static func withoutColours(_ line: String) -> String {
        line.replacing(/\u{1b}\[[0-9]*m/, with: "")
    }
}

extension String {
    fileprivate func components(_ mark: String) -> Int { ranges(of: mark).count }
}
