import Gateway
import Glibc
import Posix
import Synchronization
import Testing

/// Clients and backends that misbehave at random, all at once, against two workers. Whatever they do, no worker may
/// trap, well-behaved requests are answered rightly, and in the end nothing is left over.
@Suite struct ChaosTests {
    private static let requests = 400

    @Test(arguments: [UInt64(1), 2, 3, 4])
    func nothingIsLeftOver(seed: UInt64) throws {
        let backends = try (0..<3).map { try ChaosTests.wildBackend(seed: seed &* 100 &+ UInt64($0)) }
        let timeouts = UpstreamTimeouts(
            connect: .milliseconds(200), response: .milliseconds(200), idle: .milliseconds(200))
        let options = ProxyOptions(
            workers: 2, limits: TestGateway.limits,
            pauses: ProxyPauses(linger: .milliseconds(100), ejection: .milliseconds(5)))
        let clients = ClientPolicy(
            timeouts: ClientTimeouts(
                requestHead: .milliseconds(200), requestBody: .milliseconds(200), keepAlive: .milliseconds(500),
                write: .milliseconds(300)))
        let gateway = try TestGateway(
            backends.map(\.address), timeouts: timeouts, clients: clients, options: options)
        let address = gateway.address
        let threads = try (0..<8).map { number in
            try Thread(name: "client") {
                var random = RandomSource(seed: seed &* 1000 &+ UInt64(number))
                for _ in 0..<(ChaosTests.requests / 8) {
                    guard let wire = try? Wire(to: address) else { continue }
                    wire.setTimeout(seconds: 2)
                    try? ChaosTests.misbehave(wire, &random)
                }
            }
        }
        for thread in threads { thread.join() }
        #expect(gateway.wait { gateway.pool.statistics.clientConnections == 0 }, "seed \(seed)")
        #expect(gateway.pool.statistics.activeRequests == 0, "seed \(seed)")
        for backend in backends {
            #expect(gateway.wait { gateway.activeRequests(backend.address) == 0 }, "seed \(seed)")
        }
        #expect(gateway.pool.statistics.requests > 0)
    }

    private static func misbehave(_ wire: Wire, _ random: inout RandomSource) throws {
        for _ in 0..<(1 + random.below(4)) {
            switch random.below(12) {
            case 0: try wire.send("GET / HTTP/1.1\r\nHo")
            case 1: try wire.send("nonsense\r\n\r\n")
            case 2: try wire.send(Wire.get + Wire.get + "GET / HTTP/1.1\r\n")
            case 3: try wire.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nshort")
            case 4:
                try wire.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n")
                try wire.send([UInt8](repeating: 65, count: 300_000))
            case 5:
                try wire.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
            case 6: try wire.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz")
            case 7: try wire.send("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nbody")
            case 8: try wire.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\ntunnel")
            case 9: try wire.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
            case 10: try wire.send("GET / HTTP/1.0\r\n\r\n")
            default: try wire.send(Wire.get)
            }
            switch random.below(8) {
            case 0: return wire.resetOnClose()
            case 1: return
            case 2: wire.finish()
            case 3: wire.resetOnClose()
            default: break
            }
            if random.below(3) > 0 { _ = try wire.message(hasBody: random.below(4) > 0) }
        }
    }

    private static func wildBackend(seed: UInt64) throws -> TestBackend {
        let source = Mutex(RandomSource(seed: seed))
        return try TestBackend { wire, _ in
            wire.setTimeout(seconds: 1)
            while true {
                func draw(_ bound: UInt32) -> UInt32 { source.withLock { $0.below(bound) } }
                if draw(20) == 0 { return }
                let request = try wire.message(hasBody: draw(10) > 0)
                switch draw(14) {
                case 0: return
                case 1: return wire.resetOnClose()
                case 2: try wire.send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n")
                case 3: try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort")
                case 4:
                    try wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nsurplus")
                case 5: try wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nq")
                case 6: return try wire.send("HTTP/1.1 200 OK\r\n\r\nuntil close")
                case 7: try wire.send("garbage")
                case 8 where request["Upgrade"] != nil:
                    try wire.send("HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nhi")
                    _ = try wire.rest()
                case 9:
                    try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 400000\r\n\r\n")
                    try wire.send([UInt8](repeating: 66, count: 400_000))
                case 10: try wire.send("HTTP/1.1 2")
                default: break
                }
                if !request.startLine.hasPrefix("HEAD") {
                    try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                } else {
                    try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
                }
            }
        }
    }
}
