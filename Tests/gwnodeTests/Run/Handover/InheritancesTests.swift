import Gateway
import Posix
import Raft
import Testing

@testable import gwnode

/// Connections that came from another node before their addresses.
@Suite(.enabled(if: RepairedSocket.obstacle() == nil, "needs CAP_NET_ADMIN"))
struct InheritancesTests {
    private let pair: ClientAndServer
    private let image: TCPConnectionImage
    private let offered = Instant.zero + .seconds(100)
    private var inheritances = Inheritances()

    init() throws {
        pair = try ClientAndServer()
        let captured = try pair.captured()
        image = captured.image
        captured.forsake()
        inheritances.add([image], to: [pair.address.ip], of: 7, by: NodeID(1), at: offered)
        try #require(inheritances.count(of: 7, by: NodeID(1)) == 1)
    }

    @Test mutating func theyGoOnWhenTheAddressIsHere() {
        #expect(inheritances.expire(at: offered + .milliseconds(2999)) { _, _, _ in false } == [])
        #expect(inheritances.take(to: [pair.address.ip]).map(\.image.flow) == [image.flow])
        #expect(inheritances.isEmpty)
    }

    @Test mutating func theyAreNamedWhenTheAddressDoesNotCome() {
        #expect(inheritances.expire(at: offered + .seconds(3)) { _, _, _ in false } == [image.flow])
        #expect(inheritances.isEmpty && inheritances.take(to: [pair.address.ip]).isEmpty)
    }

    /// By what was said after the offer, which the node made that still had the address.
    @Test mutating func theyAreNamedAtOnceWhenTheAddressWentElsewhere() {
        var asked: [(address: IPAddress, but: NodeID, since: Instant)] = []
        let late = inheritances.expire(at: offered + .milliseconds(200)) { address, node, since in
            asked.append((address, node, since))
            return true
        }
        #expect(late == [image.flow] && inheritances.isEmpty)
        #expect(asked.count == 1 && asked[0].address == pair.address.ip && asked[0].but == NodeID(1))
        #expect(asked[0].since == offered + .milliseconds(100))
    }
}
