import Gateway
import Glibc
import Posix
import Testing

/// Open plain connections that leave their worker between two requests, and go on in another.
@Suite struct DepartureTests {
    @Test func anIdleConnectionGoesOnWithTheHeadThatHadBegun() throws {
        let backend = try TestBackend(named: "one")
        let gateway = try TestGateway([backend.address])
        let client = try gateway.connect()
        #expect(try client.get().text == "one")
        try client.send("GET / HTT")
        let departing = gateway.pool.announceDeparture(from: [gateway.address.ip])
        gateway.pool.depart(departing)
        #expect(gateway.wait { departing.count == 1 })
        #expect(gateway.pool.statistics.clientConnections == 0)
        try client.send("P/1.1\r\nHost: test\r\n\r\n")
        gateway.pool.endDeparture()
        gateway.takeIn(departing)
        #expect(try client.message().text == "one")
        #expect(try client.get().text == "one")
    }

    @Test func aBusyConnectionLeavesWithTheEndOfItsAnswer() throws {
        let release = try WakeEvent()
        let backend = try TestBackend { wire, backend in
            backend.record(try wire.message())
            var waiting = pollfd(fd: release.raw, events: Int16(POLLIN), revents: 0)
            _ = poll(&waiting, 1, 20_000)
            try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")
        }
        let gateway = try TestGateway([backend.address])
        let client = try gateway.connect()
        try client.send(Wire.get)
        #expect(gateway.wait { gateway.activeRequests(backend.address) == 1 })
        let departing = gateway.pool.announceDeparture(from: [gateway.address.ip])
        gateway.pool.depart(departing)
        let idle = try gateway.connect()
        #expect(gateway.wait { departing.count == 1 })
        #expect(!departing.areAnswered)
        release.signal()
        #expect(try client.message().text == "late")
        #expect(gateway.wait { departing.areAnswered && departing.count == 2 })
        withExtendedLifetime(idle) {}
    }

    @Test func otherAddressesAreLeftAlone() throws {
        let backend = try TestBackend(named: "one")
        let gateway = try TestGateway([backend.address])
        let client = try gateway.connect()
        let departing = gateway.pool.announceDeparture(from: [IPAddress("192.0.2.1")!])
        gateway.pool.depart(departing)
        #expect(try client.get().text == "one")
        #expect(departing.areAnswered && departing.count == 0)
    }
}

extension TestGateway {
    fileprivate func takeIn(_ departing: DepartingConnections) {
        pool.takeIn(
            departing.take().map { socket in
                ArrivingConnection(
                    socket, local: Socket.localAddress(of: socket.descriptor)!,
                    peer: Socket.peerAddress(of: socket.descriptor)!)
            })
    }
}
