import Gateway
import Glibc
import Posix
import Testing

private let address = IPAddress("127.0.0.100")!

/// Stands for the worker pool: remembers what is open.
private final class Pool {
    var open: [ListenerID: SocketAddress] = [:]
    var taken: Set<UInt16> = []
    private var next = 0

    var ports: Set<UInt16> { Set(open.values.map(\.port)) }

    func listeners() -> LoopbackProvider.Listeners {
        LoopbackProvider.Listeners(
            open: { endpoint throws(SystemError) in
                if self.taken.contains(endpoint.port) {
                    throw SystemError("bind", endpoint.description, code: EADDRINUSE)
                }
                let id = ListenerID(self.next)
                self.next += 1
                self.open[id] = endpoint
                return id
            },
            close: { self.open[$0] = nil })
    }
}

@Suite struct LoopbackProviderTests {
    private let pool = Pool()

    private func provider(_ ports: [UInt16]) -> LoopbackProvider {
        let provider = LoopbackProvider(listeners: pool.listeners())
        provider.configure(addresses: [address], ports: ports)
        return provider
    }

    @Test func claimOpensAndReleaseCloses() throws {
        let provider = provider([80, 81])
        #expect(pool.open.isEmpty)
        try provider.claim(address, until: .distantFuture)
        #expect(pool.ports == [80, 81])
        #expect(pool.open.values.allSatisfy { $0.ip == address })
        provider.release(address)
        #expect(pool.open.isEmpty)
    }

    @Test func changedPortsTakeEffectWhileHeld() throws {
        let provider = provider([80, 81])
        try provider.claim(address, until: .distantFuture)
        provider.configure(addresses: [address], ports: [81, 82])
        #expect(pool.ports == [81, 82])
    }

    @Test func aTakenPortDoesNotStopTheOthers() throws {
        pool.taken = [80]
        let provider = provider([80, 81])
        try provider.claim(address, until: .distantFuture)
        #expect(pool.ports == [81])
    }

    @Test func claimFailsWhenNoPortOpens() {
        pool.taken = [80]
        let provider = provider([80])
        #expect(throws: VirtualIPError.self) { try provider.claim(address, until: .distantFuture) }
        provider.configure(addresses: [address], ports: [81])
        #expect(pool.open.isEmpty)
    }

    @Test func otherAddressesAreRefused() {
        #expect(throws: VirtualIPError.self) { try provider([80]).claim(IPAddress("10.0.0.1")!, until: .distantFuture) }
    }
}
