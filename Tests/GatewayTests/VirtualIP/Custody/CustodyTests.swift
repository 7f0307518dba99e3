import CLinux
import Gateway
import Glibc
import Posix
import Testing

/// A worker gives connections at rest into custody; the keeper stands in this process for the guard's.
@Suite struct CustodyTests {
    private let custody: Custody
    private let keeper: CustodyKeeper
    private let gateway: TestGateway
    private let backend: TestBackend

    init() throws {
        custody = try Custody()
        custody.addresses = [IPAddress("127.0.0.1")!]
        let end = try custody.begin()
        let descriptors = end.descriptors.map { dup($0) }
        keeper = try CustodyKeeper(
            channel: GuardChannel(owning: descriptors[0]),
            table: CustodyTable(memory: FileDescriptor(owning: descriptors[1])))
        backend = try TestBackend(named: "one")
        var options = ProxyOptions(limits: TestGateway.limits)
        options.custody = custody
        gateway = try TestGateway(
            TestGateway.configuration([backend.address]), options: options, secrets: nil)
    }

    private var places: [Int] { (0..<TestGateway.limits.clients).filter { custody.table.generation($0) != 0 } }

    /// In custody, with what the kernel says now.
    private func isAtRest(_ consumed: Int) -> Bool { places.contains { custody.table.consumed($0) == consumed } }

    @Test func aConnectionAtRestGoesIntoCustodyWithWhatWasTakenOfIt() throws {
        let client = try gateway.connect()
        #expect(gateway.wait { isAtRest(0) }, "one that never asked anything, too")
        #expect(try client.get().text == "one")
        #expect(gateway.wait { isAtRest(Wire.get.utf8.count) })
        #expect(places.count == 1)
        let left = keeper.sortOut(custody.addresses)
        #expect(left.count == 1)
        left.forEach { close($0) }
        #expect(try client.get().text == "one", "the gateway has it still")
    }

    /// A part of a head is in nobody's hands but the killed gateway's.
    @Test func oneOfWhichMoreWasTakenIsReset() throws {
        let client = try gateway.connect()
        #expect(try client.get().text == "one")
        #expect(gateway.wait { isAtRest(Wire.get.utf8.count) })
        try client.send("GET / HT")
        #expect(gateway.wait { gateway.pool.statistics.bytesReceived > UInt64(Wire.get.utf8.count) })
        #expect(keeper.sortOut(custody.addresses) == [])
        #expect(throws: Wire.Failure.self) { try client.message() }
    }

    @Test func thoseOfOtherAddressesAreReset() throws {
        let client = try gateway.connect()
        #expect(gateway.wait { isAtRest(0) })
        #expect(keeper.sortOut([IPAddress("192.0.2.1")!]) == [])
        #expect(throws: Wire.Failure.self) { try client.message() }
    }

    /// The keeper has a descriptor of it, and its client is told nevertheless.
    @Test(arguments: [true, false])
    func itsEndIsSent(afterAnAnswer: Bool) throws {
        let client = try gateway.connect()
        #expect(gateway.wait { isAtRest(0) })
        if afterAnAnswer {
            try client.send("GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
            #expect(try client.message().text == "one")
        } else {
            gateway.pool.retire(custody.addresses, endsIdle: true)
        }
        #expect(throws: Wire.Failure.self) { try client.message() }
        #expect(places.isEmpty)
        keeper.letGo()
        #expect(keeper.sortOut(custody.addresses) == [])
    }

    /// Another guard is given all of them again.
    @Test func anotherGuardGetsThem() throws {
        let client = try gateway.connect()
        #expect(gateway.wait { isAtRest(0) })
        let former = try #require(places.first.map { custody.table.generation($0) })
        keeper.stop()
        custody.end()
        let end = try custody.begin()
        let descriptors = end.descriptors.map { dup($0) }
        let next = try CustodyKeeper(
            channel: GuardChannel(owning: descriptors[0]),
            table: CustodyTable(memory: FileDescriptor(owning: descriptors[1])))
        #expect(gateway.wait { places.contains { custody.table.generation($0) > former } })
        let left = next.sortOut(custody.addresses)
        #expect(left.count == 1)
        left.forEach { close($0) }
        withExtendedLifetime(client) {}
    }
}
