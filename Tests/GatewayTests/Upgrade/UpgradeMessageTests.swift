import Gateway
import Posix
import Raft
import Testing

@Suite struct UpgradeMessageTests {
    private static let leading = Continuation.Leading(
        heartbeats: 77, claimableFrom: Instant(nanoseconds: 5), longLease: Instant(nanoseconds: 9),
        granted: [NodeID(2), NodeID(3)])
    private static let continuation = Continuation(
        term: Term(4), last: LogPosition(term: Term(3), index: LogIndex(12)), commit: LogIndex(11),
        releasedThrough: Term(2), leading: leading, boot: 1 << 60,
        answered: HeartbeatStamp(round: 8, sentAt: Instant(nanoseconds: 3)),
        borrowed: Borrowed(
            grant: GrantID(term: Term(4), round: 8), rights: [Right(high: 1, low: 2), Right(high: 3, low: 4)],
            validUntil: Instant(nanoseconds: 99)))

    private static let watch = GuardWatch(
        sequence: 9, state: GuardReport.State(sequence: 8, fence: .kernel, held: [], holdsUntil: .zero),
        identity: GuardIdentity(pid: 4712, version: "1.1"))

    private static let messages: [UpgradeMessage] = [
        .hello(pid: 4711), .prepared(version: "1.2"), .refused("why"), .begins, .serves, .proven,
        .offer(offer()), .listeners(SocketAddress("[2001:db8::1]:443")!),
        .estate(UpgradeEstate(continuation: continuation, hadQuorum: true, hasNotices: true, watch: nil)),
        .estate(UpgradeEstate(continuation: nil, hadQuorum: false, hasNotices: false, watch: nil)),
        .estate(UpgradeEstate(continuation: nil, hadQuorum: false, hasNotices: false, watch: watch)),
        .connections(unread: [[], [1, 2, 3]]),
    ]

    private static func offer(
        name: String = "gw1", workers: Int = 2, guardVersion: UInt8 = GuardOrder.version, data: String = "/d"
    ) -> UpgradeOffer {
        let peer = NodeConfiguration.Peer(
            id: NodeID(1), name: name, raft: HostPort(host: "127.0.0.1", port: 1),
            admin: .tcp(HostPort(host: "h", port: 2)))
        let node = NodeConfiguration(
            cluster: "c", node: .init(id: NodeID(1), name: name), dataDirectory: data, admin: peer.admin, peers: [peer])
        return UpgradeOffer(node, workers: workers, guardVersion: guardVersion)
    }

    @Test(arguments: messages) func everyMessageComesBackAsItWas(message: UpgradeMessage) throws {
        #expect(try UpgradeMessage(decoding: message.encoded()) == message)
    }

    @Test(arguments: messages) func noPartOfAMessagePassesForOne(message: UpgradeMessage) {
        let bytes = message.encoded()
        for count in 0..<bytes.count {
            #expect(throws: DecodingFault.self) { try UpgradeMessage(decoding: Array(bytes[..<count])) }
        }
        #expect(throws: DecodingFault.self) { try UpgradeMessage(decoding: bytes + [0]) }
        #expect(throws: DecodingFault.self) { try UpgradeMessage(decoding: [200] + bytes.dropFirst()) }
    }

    @Test func whatDiffersForGoodIsRefusedByName() {
        #expect(Self.offer().obstacle(for: Self.offer()) == nil)
        #expect(Self.offer().obstacle(for: Self.offer(name: "other", workers: 3)) == nil)
        #expect(Self.offer().obstacle(for: Self.offer(data: "/elsewhere"))?.contains("dataDirectory") == true)
        #expect(Self.offer().obstacle(for: Self.offer(workers: 1))?.contains("workers") == true)
        let newer = Self.offer(guardVersion: GuardOrder.version + 1)
        #expect(newer.obstacle(for: Self.offer())?.contains("guard") == true)
        #expect(Self.offer(guardVersion: 0).obstacle(for: Self.offer()) == nil)
    }
}
