import Gateway
import Posix
import Testing

private let seedFile = """
    // A comment, and /* another */
    {
        virtualAddresses: ["192.0.2.1", '2001:db8::1'],
        listeners: [{ name: "web", port: 0x50 }],
        routes: [{ host: "*.example.org", path: "/a", upstream: "a" }, { path: "/", upstream: "\\u0061" },],
        upstreams: [{
            name: "a", algorithm: "weighted", backends: [{ address: "10.0.0.1:80", weight: +5 }],
            health: { type: "http", path: "/caf\u{e9}", statuses: "200-399", interval: "1s", timeout: "500ms" },
            timeouts: { connect: "1s" }, retries: .2e1,
        }],
        cluster: "c", node: { id: 1, name: "gw1" }, dataDirectory: "data", listen: { web: "127.0.0.1:80" },
        peers: [{ id: 1, name: "gw1", raft: "127.0.0.1:1", admin: "127.0.0.1:2" }],
        virtualAddress: { provider: "netlink", interface: "eth0" },
    }
    """

/// Pieces that parsers have stumbled over.
private let fragments: [[UInt8]] =
    [
        "{", "}", "[", "]", ",", ":", "\"", "'", "\\", "\\u", "\\ud800", "\\x", "//", "/*", "*/", "\r", "\n", "\r\n",
        "-", "+",
        ".", "0x", "1e", "1e999", "NaN", "Infinity", "null", "\u{feff}", "\u{2028}", "\u{202e}", "\u{0}", "\u{1b}[2J",
        "e\u{301}", "\u{1f468}\u{200d}\u{1f469}", "99999999999999999999", "\"web\"", "name", "[[[[[[[[",
    ].map { Array($0.utf8) } + [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80]]

private func mutated(_ bytes: [UInt8], with random: inout RandomSource) -> [UInt8] {
    var bytes = bytes
    for _ in 0...random.below(4) {
        let start = Int(random.below(UInt32(bytes.count + 1)))
        let end = min(bytes.count, start + Int(random.below(12)))
        let piece: [UInt8]
        switch random.below(4) {
        case 0: piece = []
        case 1: piece = [UInt8(truncatingIfNeeded: random.next())]
        case 2: piece = Array(bytes[start..<end]) + Array(bytes[start..<end])
        case _: piece = fragments[Int(random.below(UInt32(fragments.count)))]
        }
        bytes.replaceSubrange(start..<end, with: piece)
    }
    return bytes
}

/// The problems of both readings of the bytes, each list for itself.
private func problems(in bytes: [UInt8]) -> [[ConfigurationProblem]] {
    var lists: [[ConfigurationProblem]] = []
    do throws(ConfigurationProblems) {
        _ = try GatewayConfiguration.read(bytes, file: "f")
    } catch {
        lists.append(error.problems)
    }
    do throws(ConfigurationProblems) {
        _ = try NodeConfiguration.read(bytes, file: "f")
    } catch {
        lists.append(error.problems)
    }
    return lists
}

/// What every list of problems has to be like: not empty, in order, inside the file and safe to print.
private func check(_ problems: [ConfigurationProblem], of bytes: [UInt8], _ comment: Comment) {
    #expect(!problems.isEmpty, comment)
    let lines = 1 + bytes.count { $0 == 0x0a || $0 == 0x0d }
    var last = (0, 0)
    for problem in problems {
        #expect((problem.line, problem.column) >= last, comment)
        last = (problem.line, problem.column)
        #expect(1...lines ~= problem.line && 1...(bytes.count + 1) ~= problem.column, comment)
        #expect(!problem.wrong.isEmpty && !problem.right.isEmpty && !problem.path.isEmpty, comment)
        let isPrintable = problem.description.unicodeScalars.allSatisfy { scalar in
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator: false
            case _: true
            }
        }
        #expect(isPrintable, comment)
    }
}

@Suite struct HostileConfigurationTests {
    @Test(arguments: 0..<40 as Range<UInt64>) func mutatedFilesGiveProblemsWithPositionsAndNeverTrap(seed: UInt64) {
        var random = RandomSource(seed: seed)
        var bytes = Array(seedFile.utf8)
        for round in 0..<25 {
            bytes = mutated(round.isMultiple(of: 5) ? Array(seedFile.utf8) : bytes, with: &random)
            for list in problems(in: bytes) { check(list, of: bytes, "seed \(seed), round \(round)") }
        }
    }

    @Test func everyBeginningOfAFileIsRefused() {
        let bytes = Array(seedFile.utf8)
        for count in 0..<(bytes.count - 1) {
            let lists = problems(in: Array(bytes.prefix(count)))
            #expect(lists.count == 2)
            for list in lists { check(list, of: bytes, "first \(count) bytes") }
        }
    }

    /// Files made to be slow, a quarter of what is allowed: time that grew with the square would still show.
    @Test(arguments: [
        "[", "[[],", "{a:", "/*", "\"\\u0061", "{\"\u{301}", "1", "\\", "\u{e9}", "\r", "a", "/", "''", "{a:1},",
    ])
    func largeFilesTakeBoundedTime(piece: String) {
        let count = JSON5Parser.Limit.bytes / 4 / piece.utf8.count
        let bytes = Array(String(repeating: piece, count: count).utf8)
        let start = Instant.now()
        for list in problems(in: bytes) { check(list, of: bytes, "\(piece)") }
        #expect(Instant.now() - start < .seconds(30))
    }

    @Test func floodsOfUnknownWordsTakeBoundedTime() {
        let start = Instant.now()
        let keys = (0..<20_000).map { "weigh\($0):1" }.joined(separator: ",")
        let lists = problems(in: Array("{\(keys)}".utf8))
        #expect(lists.allSatisfy { $0.count == 101 })
        let names = (0..<300).map { "{name:'upstream-\($0)',backends:[{address:'10.0.0.1:80'}]}" }
        let routes = (0..<3_000).map { "{path:'/\($0)',upstream:'upstreem-\($0)'}" }
        let text = """
            {listeners:[{name:'web',port:80}],routes:[\(routes.joined(separator: ","))],
            upstreams:[\(names.joined(separator: ","))]}
            """
        #expect(problems(in: Array(text.utf8))[0].count == 101)
        #expect(Instant.now() - start < .seconds(30))
    }
}
