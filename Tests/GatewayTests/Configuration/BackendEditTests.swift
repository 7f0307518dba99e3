import Gateway
import Posix
import Testing

/// Edits of one backend in a text: what changes, and that nothing else does.
@Suite struct BackendEditTests {
    private static func key(_ address: String, upstream: String = "app") -> BackendKey {
        BackendKey(upstream: upstream, address: SocketAddress(address)!)
    }

    private static func file(_ backends: String) -> String {
        """
        // what we serve
        {
            listeners: [{ name: "web", port: 8080 }], routes: [{ path: "/", upstream: "app" }],
            upstreams: [
                { name: "other", backends: [{ address: "10.0.0.1:80" }] },
                { name: "app", /* ours */ backends: \(backends), health: { type: "none" } },
            ],
        }
        """
    }

    private static let lines = """
        [
                    // the first, always there
                    { address: "10.0.0.1:80" }, // in rack 1
                    { 'address': '10.0.0.2:80', weight: 0x5 } // and, in rack 2
                ]
        """

    private static let added = """
        [
                    // the first, always there
                    { address: "10.0.0.1:80" }, // in rack 1
                    { 'address': '10.0.0.2:80', weight: 0x5 }, // and, in rack 2
                    { address: "10.0.0.3:80", weight: 7 },
                ]
        """

    private static let removed = """
        [
                    // the first, always there
                    { 'address': '10.0.0.2:80', weight: 0x5 } // and, in rack 2
                ]
        """

    @Test(arguments: [
        (BackendEdit.put(key("10.0.0.3:80"), weight: 7), lines, added),
        (
            .put(key("10.0.0.4:80"), weight: nil), added,
            added.replacing("7 },", with: "7 },\n            { address: \"10.0.0.4:80\" },")
        ),
        (.put(key("10.0.0.2:80"), weight: 6), lines, lines.replacing("0x5", with: "6")),
        (.put(key("10.0.0.1:80"), weight: 6), lines, lines.replacing("1:80\" }", with: "1:80\", weight: 6 }")),
        (.remove(key("10.0.0.1:80")), lines, removed),
        (
            .remove(key("10.0.0.2:80")), #"[{address:"10.0.0.1:80"},{address:"10.0.0.2:80"}]"#,
            #"[{address:"10.0.0.1:80"},]"#
        ),
        (
            .remove(key("10.0.0.1:80")), #"[{address:"10.0.0.1:80"}, {address:"10.0.0.2:80"}]"#,
            #"[{address:"10.0.0.2:80"}]"#
        ),
        (
            .put(key("10.0.0.2:80"), weight: nil), #"[{address:"10.0.0.1:80"}]"#,
            #"[{address:"10.0.0.1:80"}, { address: "10.0.0.2:80" }]"#
        ),
        (.put(key("[fd00::1]:80"), weight: nil), "[]", #"[{ address: "[fd00::1]:80" }]"#),
        (.remove(key("10.0.0.1:80")), "[{address: '10.0.0.1:80'}]", "[]"),
    ])
    func onlyTheOnePlaceChanges(edit: BackendEdit, before: String, after: String) throws {
        let edited = try #require(try edit.applied(to: Self.file(before)))
        #expect(edited == Self.file(after))
        _ = try GatewayConfiguration.read(Array(edited.utf8), file: "edited")
    }

    @Test func whatIsSaidAlreadyChangesNothing() throws {
        #expect(try BackendEdit.put(Self.key("10.0.0.1:80"), weight: nil).applied(to: Self.file(Self.lines)) == nil)
        #expect(try BackendEdit.put(Self.key("10.0.0.2:80"), weight: 5).applied(to: Self.file(Self.lines)) == nil)
    }

    @Test func whatDoesNotExistIsNamedWithWhatDoes() {
        let text = Self.file(Self.lines)
        #expect(throws: BackendEdit.Refusal.unknownUpstream("aqp", known: ["other", "app"])) {
            try BackendEdit.remove(Self.key("10.0.0.1:80", upstream: "aqp")).applied(to: text)
        }
        let unknown = Self.key("10.0.0.9:80")
        #expect(throws: BackendEdit.Refusal.unknownBackend(unknown, known: ["10.0.0.1:80", "10.0.0.2:80"])) {
            try BackendEdit.remove(unknown).applied(to: text)
        }
        #expect(throws: BackendEdit.Refusal.unreadable) { try BackendEdit.remove(unknown).applied(to: "{") }
    }

    /// Whatever is added and removed in whatever order, the text stays a good file with the backends that are meant.
    @Test(arguments: 1...20)
    func anySequenceOfEditsKeepsAGoodFile(seed: UInt64) throws {
        var random = RandomSource(seed: seed)
        var text = Self.file(seed % 2 == 0 ? Self.lines : "[{address: '10.0.0.1:80'}, {address: '10.0.0.2:80'}]")
        var expected: [SocketAddress: Int] = [SocketAddress("10.0.0.1:80")!: 1]
        expected[SocketAddress("10.0.0.2:80")!] = seed % 2 == 0 ? 5 : 1
        for _ in 0..<30 {
            let key = Self.key("10.0.0.\(1 + random.below(5)):80")
            if random.below(3) == 0, expected[key.address] != nil {
                text = try BackendEdit.remove(key).applied(to: text) ?? text
                expected[key.address] = nil
            } else {
                let weight = Int(1 + random.below(9))
                text = try BackendEdit.put(key, weight: weight).applied(to: text) ?? text
                expected[key.address] = weight
            }
            let upstream = try GatewayConfiguration.read(Array(text.utf8), file: "edited").upstreams[1]
            let found = Dictionary(uniqueKeysWithValues: upstream.backends.map { ($0.address, $0.weight) })
            #expect(found == expected)
        }
        #expect(text.contains("// what we serve") && text.contains("/* ours */"))
    }
}
