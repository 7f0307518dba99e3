import Gateway
import Glibc
import Posix
import TLS
import Testing

@Suite struct HealthJudgeTests {
    private static let good = ProbeResult.connected
    private static let bad = ProbeResult.failed(ECONNREFUSED)
    private static let neither = ProbeResult.inconclusive(EMFILE)

    /// `+` a success, `-` a failure, `?` neither; the verdict after each is `u`p, `d`own or `.` for none.
    @Test(arguments: [
        (1, 1, "+", "u"), (1, 1, "-", "d"), (1, 1, "+-+-", "udud"),
        (2, 2, "+-+-+--", "uuuuuud"), (2, 3, "+----", "uuudd"), (2, 3, "-+-++", "ddddu"),
        (3, 3, "--+++", "ddddu"), (2, 2, "?", "."), (2, 2, "?+-?-", ".uuud"),
    ])
    func verdictNeedsAsManyResultsInARow(rise: Int, fall: Int, results: String, expected: String) {
        var judge = HealthJudge(rise: rise, fall: fall)
        var verdicts = ""
        for result in results {
            let before = judge.verdict?.status
            let changed = judge.record(result == "+" ? Self.good : result == "-" ? Self.bad : Self.neither)
            #expect(changed == (judge.verdict?.status != before))
            verdicts += judge.verdict.map { $0.status == .up ? "u" : "d" } ?? "."
        }
        #expect(verdicts == expected)
    }

    @Test func reasonIsThatOfTheDecidingResult() {
        var judge = HealthJudge(rise: 1, fall: 2)
        _ = judge.record(.status(200, isExpected: true))
        #expect(judge.verdict == HealthVerdict(.up, reason: "status 200"))
        _ = judge.record(.failed(ECONNREFUSED))
        _ = judge.record(.status(503, isExpected: false))
        _ = judge.record(.timedOut(after: .milliseconds(500)))
        #expect(judge.verdict == HealthVerdict(.down, reason: "status 503"))
    }

    /// One that is back after a crash, say, with a certificate that has expired.
    @Test func whoStaysDownForAnotherReasonSaysSo() {
        let expired = ProbeResult.notSecured(.expired(atSeconds: 1_767_312_000))
        let (refused, now) = ("connect refused", "its certificate expired on 2026-01-02")
        // Two results in a row are needed, and none may come between but one that says nothing.
        let steps: [(ProbeResult, changes: Bool, reason: String)] = [
            (.failed(ECONNREFUSED), true, refused), (expired, false, refused), (.failed(ECONNREFUSED), false, refused),
            (expired, false, refused), (.notHTTP, false, refused), (expired, false, refused),
            (.inconclusive(EMFILE), false, refused), (expired, true, now), (expired, false, now),
            // The reasons of a backend that is up are left alone.
            (.connected, false, now), (.connected, true, "connected"),
            (.status(204, isExpected: true), false, "connected"), (.status(204, isExpected: true), false, "connected"),
        ]
        var judge = HealthJudge(rise: 2, fall: 2)
        for (index, step) in steps.enumerated() {
            let changes = judge.record(step.0)
            #expect(changes == step.changes, "step \(index)")
            #expect(judge.verdict?.reason == step.reason, "step \(index)")
        }
    }

    @Test(arguments: [
        (ProbeResult.connected, "connected"), (.status(503, isExpected: false), "status 503"),
        (.failed(ECONNREFUSED), "connect refused"), (.failed(ECONNRESET), "connection reset"),
        (.failed(EHOSTUNREACH), "no route to host"), (.timedOut(after: .milliseconds(500)), "timed out after 500 ms"),
        (.closedWithoutResponse, "closed without a response"), (.notHTTP, "no HTTP response"),
    ])
    func reasonsAreForPeople(result: ProbeResult, text: String) { #expect(result.description == text) }

    @Test(arguments: [
        ("HTTP/1.1 200 OK\r\n", StatusLine.status(200)), ("HTTP/1.0 404 \r\n", .status(404)),
        ("HTTP/1.1 204\r\n", .status(204)), ("HTTP/1.1 20", .incomplete), ("", .incomplete), ("HTT", .incomplete),
        ("SSH-2.0-OpenSSH", .invalid), ("HTTP/2.0 200 OK", .invalid), ("HTTP/1.1 099 no", .invalid),
        ("HTTP/1.1 600 no", .invalid), ("HTTP/1.1 2000 OK", .invalid), ("HTTP/1.x 200 OK", .invalid),
        ("HTTP/1.1  200 OK", .invalid),
    ])
    func statusLine(text: String, expected: StatusLine) {
        #expect(StatusLine(beginningOf: Array(text.utf8)) == expected)
    }
}
