import CLinux
import Gateway
import Glibc
import Posix
import Synchronization
import Testing

/// A backend that answers each connection with a fixed text, or accepts and stays silent.
private final class FakeBackend: @unchecked Sendable {
    let address: SocketAddress
    private let listener: Int32
    private let thread: Thread

    /// nil: accepts and never answers.
    init(answer: String?) throws {
        let loopback = SocketAddress("127.0.0.1:0")!
        let descriptor = try Socket.listen(on: loopback).take()
        listener = descriptor
        address = Socket.localAddress(of: descriptor)!
        thread = try Thread(name: "backend", stackBytes: 256 << 10) {
            var held: [Int32] = []
            while true {
                var ready = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
                _ = poll(&ready, 1, -1)
                let connection = accept(descriptor, nil, nil)
                if connection < 0 && errno == EAGAIN { continue }
                if connection < 0 { break }
                held.append(connection)
                guard let answer else { continue }
                var buffer = [UInt8](repeating: 0, count: 4096)
                _ = recv(connection, &buffer, buffer.count, 0)
                _ = send(connection, answer, answer.utf8.count, Int32(MSG_NOSIGNAL))
                shutdown(connection, Int32(SHUT_WR))
            }
            for connection in held { close(connection) }
        }
    }

    /// From now on connections are refused.
    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        thread.join()
        close(listener)
    }
}

/// Collects observations, and waits for the one that a test is about.
private final class Observations: Sendable {
    private let all = Mutex<[HealthObservation]>([])
    private let mailbox: Mailbox<Void>

    init() throws { mailbox = try Mailbox(capacity: 1) }

    func append(_ observation: HealthObservation) {
        all.withLock { $0.append(observation) }
        mailbox.post(())
    }

    /// The first observation after `count` others that `condition` holds for; nil after ten seconds.
    func first(after count: Int = 0, where condition: (HealthObservation) -> Bool) -> HealthObservation? {
        let deadline = Instant.now() + .seconds(10)
        while Instant.now() < deadline {
            if let match = all.withLock({ $0.dropFirst(count).first(where: condition) }) { return match }
            var ready = pollfd(fd: mailbox.descriptor, events: Int16(POLLIN), revents: 0)
            _ = poll(&ready, 1, 100)
            _ = mailbox.drain()
        }
        return nil
    }

    var count: Int { all.withLock(\.count) }
}

private func target(
    _ address: SocketAddress, _ probe: HealthCheck.Probe, timeout: Nanoseconds = .seconds(5)
) -> ProbeTarget {
    let check = HealthCheck(probe: probe, interval: .milliseconds(50), timeout: timeout, rise: 2, fall: 2)
    return ProbeTarget(backend: BackendKey(upstream: "a", address: address), check: check)
}

@Suite struct HealthProberTests {
    private static let http = HealthCheck.Probe.http(HealthCheck.HTTPProbe())

    @Test(arguments: [
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", HealthStatus.up, "status 200"),
        ("HTTP/1.1 503 Service Unavailable\r\n\r\n", .down, "status 503"),
        ("SSH-2.0-OpenSSH_9.2\r\n", .down, "no HTTP response"),
        ("", .down, "closed without a response"),
    ])
    func httpBackendIsJudgedByItsStatus(answer: String, status: HealthStatus, reason: String) throws {
        let backend = try FakeBackend(answer: answer)
        defer { backend.stop() }
        let observations = try Observations()
        let prober = try HealthProber(seed: 1) { observations.append($0) }
        defer { prober.stop() }
        prober.setTargets([target(backend.address, Self.http)])
        let observation = observations.first { $0.isChange }
        #expect(observation?.verdict == HealthVerdict(status, reason: reason))
    }

    @Test(arguments: ProxyHeaderVersion.allCases, [HealthCheck.Probe.tcp, http])
    func checksSayThatTheyAreTheGatewaysOwn(version: ProxyHeaderVersion, probe: HealthCheck.Probe) throws {
        let expected = ProxyHeaderWriter.own(version)
        let backend = try TestBackend { wire, backend in
            guard try wire.bytes(count: expected.count) == expected else { return }
            backend.go()
            if case .tcp = probe { return }
            _ = try wire.message()
            try wire.send("HTTP/1.1 204 No Content\r\n\r\n")
        }
        defer { backend.stop() }
        let observations = try Observations()
        let prober = try HealthProber(seed: 1) { observations.append($0) }
        defer { prober.stop() }
        var target = target(backend.address, probe)
        target.introduces = version
        prober.setTargets([target])
        #expect(observations.first { $0.isChange }?.verdict?.status == .up)
        #expect(backend.waitForGo(), "the header came")
    }

    @Test func silentBackendTimesOutAndOthersAreNotHeldUp() throws {
        let silent = try FakeBackend(answer: nil)
        let lively = try FakeBackend(answer: "HTTP/1.1 204 No Content\r\n\r\n")
        defer {
            silent.stop()
            lively.stop()
        }
        let observations = try Observations()
        let prober = try HealthProber(seed: 1) { observations.append($0) }
        defer { prober.stop() }
        prober.setTargets([
            target(silent.address, Self.http, timeout: .milliseconds(40)), target(lively.address, Self.http),
        ])
        let slow = observations.first { $0.backend.address == silent.address && $0.isChange }
        #expect(slow?.verdict == HealthVerdict(.down, reason: "timed out after 40 ms"))
        let quick = observations.first { $0.backend.address == lively.address && $0.isChange }
        #expect(quick?.verdict == HealthVerdict(.up, reason: "status 204"))
    }

    @Test func backendThatDiesIsDownAndTCPNeedsOnlyAConnection() throws {
        let backend = try FakeBackend(answer: nil)
        let observations = try Observations()
        let prober = try HealthProber(seed: 1) { observations.append($0) }
        defer { prober.stop() }
        prober.setTargets([target(backend.address, .tcp)])
        #expect(observations.first { $0.isChange }?.verdict == HealthVerdict(.up, reason: "connected"))
        let before = observations.count
        backend.stop()
        let change = observations.first(after: before) { $0.isChange }
        #expect(change?.verdict == HealthVerdict(.down, reason: "connect refused"))
    }

    @Test func targetsAreReplacedWhileRunning() throws {
        let first = try FakeBackend(answer: nil)
        let second = try FakeBackend(answer: nil)
        defer {
            first.stop()
            second.stop()
        }
        let observations = try Observations()
        let prober = try HealthProber(seed: 1) { observations.append($0) }
        defer { prober.stop() }
        prober.setTargets([target(first.address, .tcp)])
        #expect(observations.first { $0.backend.address == first.address } != nil)
        prober.setTargets([target(second.address, .tcp)])
        #expect(observations.first { $0.backend.address == second.address } != nil)
    }

    /// A frozen process: its kernel takes connections until the queue is full, and then nothing answers at all.
    @Test func fullAcceptQueueTimesOut() throws {
        let listener = try Socket.listen(on: SocketAddress("127.0.0.1:0")!, backlog: 0)
        let address = Socket.localAddress(of: listener.raw)!
        var waiting: [Int32] = []
        defer { for descriptor in waiting { close(descriptor) } }
        for _ in 0..<4 { waiting.append(try Socket.startConnecting(to: address).take()) }
        let observations = try Observations()
        let prober = try HealthProber(seed: 1) { observations.append($0) }
        defer { prober.stop() }
        prober.setTargets([target(address, .tcp, timeout: .milliseconds(40))])
        #expect(observations.first { $0.isChange }?.verdict == HealthVerdict(.down, reason: "timed out after 40 ms"))
    }
}
