import Gateway
import Posix
import Raft
import Testing

private let four = IPAddress("10.0.0.100")!
private let six = IPAddress("fd00::100")!

@Suite struct GuardMessagesTests {
    private let orders = [
        GuardOrder(sequence: 1, lease: nil, isShuttingDown: false),
        GuardOrder(sequence: 2, lease: nil, share: .borrowed([four], boot: 8), isShuttingDown: false),
        GuardOrder(
            sequence: .max, lease: Lease(term: Term(7), validUntil: .distantFuture, claimableFrom: .zero),
            share: .own([six]), isShuttingDown: true, onHold: .everything, heldBack: [four], addresses: [four, six],
            witnesses: Witnesses(
                node: NodeID(3), key: NoticeKey(first: 1, second: .max),
                peers: [SocketAddress("10.0.0.1:8101")!, SocketAddress("[fd00::2]:8101")!])),
    ]
    private let reports: [GuardReport] = [
        .state(
            GuardReport.State(
                sequence: 9, fence: .kernel, held: [four, six], holdsUntil: Instant(nanoseconds: 5), stuck: [four],
                resignation: .carrierLost)),
        .state(
            GuardReport.State(
                sequence: 0, fence: .guard, held: [], holdsUntil: .zero, onHold: .newConnections)),
        .refused(what: "there is no interface x", cure: "see `ip link`"),
        .introduction(speaks: GuardOrder.version, version: "1.2.3"),
    ]

    @Test func ordersAndReportsComeBackAsTheyWere() throws {
        for order in orders { #expect(try GuardOrder(decoding: order.encoded()) == order) }
        for report in reports { #expect(try GuardReport(decoding: report.encoded()) == report) }
    }

    /// Whatever else changes: a gateway has to know that it does not understand a guard.
    @Test func theIntroductionIsReadableForAllVersions() throws {
        let bytes: [UInt8] = [3, 99, 5, 0, 0, 0] + Array("9.9.9".utf8)
        #expect(try GuardReport(decoding: bytes) == .introduction(speaks: 99, version: "9.9.9"))
    }

    @Test func cutShortIsRefused() {
        for bytes in orders.map({ $0.encoded() }) {
            for length in 0..<bytes.count {
                #expect(throws: DecodingFault.self) { try GuardOrder(decoding: Array(bytes.prefix(length))) }
            }
        }
        for bytes in reports.map({ $0.encoded() }) {
            for length in 0..<bytes.count {
                #expect(throws: DecodingFault.self) { try GuardReport(decoding: Array(bytes.prefix(length))) }
            }
        }
    }

    @Test func theLargestOrderIsOneDatagram() {
        let peers = (0..<GuardOrder.Limit.witnesses).map { SocketAddress(ip: six, port: UInt16($0)) }
        let order = GuardOrder(
            sequence: 1, lease: nil, isShuttingDown: false,
            addresses: Array(repeating: six, count: GatewayConfiguration.Limit.virtualAddresses),
            witnesses: Witnesses(node: NodeID(1), key: .random(), peers: peers))
        #expect(order.encoded().count <= GuardOrder.Limit.bytes)
    }

    @Test(arguments: UInt64(1)...300)
    func anyBytesAreHarmless(seed: UInt64) {
        var random = RandomSource(seed: seed)
        for var bytes in orders.map({ $0.encoded() }) + reports.map({ $0.encoded() }) {
            for _ in 0..<4 { bytes[Int(random.below(UInt32(bytes.count)))] = UInt8(random.below(256)) }
            _ = try? GuardOrder(decoding: bytes)
            _ = try? GuardReport(decoding: bytes)
        }
    }
}
