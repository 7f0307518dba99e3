import Gateway
import Glibc
import Posix
import TLS
import Testing

/// Health checks of backends that have TLS, or should.
@Suite struct SecureProbeTests {
    private static let name = "api.test"

    /// What the first check of each target says.
    private func verdicts(of targets: [ProbeTarget]) throws -> [SocketAddress: HealthVerdict] {
        let results = try Mailbox<HealthObservation>(capacity: 64)
        let prober = try HealthProber(seed: 1) { results.post($0) }
        defer { prober.stop() }
        prober.setTargets(targets)
        var verdicts: [SocketAddress: HealthVerdict] = [:]
        let deadline = Instant.now() + .seconds(20)
        while verdicts.count < targets.count, Instant.now() < deadline {
            sched_yield()
            for observation in results.drain() { verdicts[observation.backend.address] = observation.verdict }
        }
        return verdicts
    }

    private func upstream(_ backends: [TestBackend], _ settings: TLSClientSettings) -> GatewayConfiguration {
        var configuration = TestGateway.configuration(backends.map(\.address))
        configuration.upstreams[0].tls = settings
        return configuration
    }

    @Test(arguments: [HealthCheck.Probe.tcp, .http(HealthCheck.HTTPProbe())])
    func impostorsAreDownAndOthersUp(probe: HealthCheck.Probe) throws {
        let secrets = try TestSecrets([Self.name])
        let good = try TestBackend(named: "good", secured: try secrets.server())
        let impostors = try Impostor.allCases.map { ($0, try $0.backend(secrets, for: Self.name)) }
        let settings = TLSClientSettings(authority: secrets.authorityFile, serverName: Self.name)
        var configuration = upstream([good] + impostors.map(\.1), settings)
        configuration.upstreams[0].health = HealthCheck(probe: probe, interval: .seconds(5), timeout: .seconds(5))
        let securities = BackendSecurities([settings: .tls(try TLSClient(settings))])
        var targets = configuration.probeTargets(securities)
        for (impostor, backend) in impostors where impostor == .silent {
            let index = try #require(targets.firstIndex { $0.backend.address == backend.address })
            targets[index].check.timeout = .milliseconds(300)
        }
        let verdicts = try verdicts(of: targets)
        #expect(verdicts[good.address]?.status == .up, "\(verdicts)")
        for (impostor, backend) in impostors {
            let verdict = verdicts[backend.address]
            #expect(verdict?.status == .down, "\(impostor): \(verdicts)")
            let reason = impostor == .silent ? "timed out after 300 ms" : impostor.reason
            #expect(verdict?.reason.contains(reason) == true, "\(impostor): \(verdicts)")
        }
        // A check without a host of its own asks for the name that TLS asks for.
        #expect(good.requests.allSatisfy { $0["Host"] == Self.name })
        #expect(good.requests.isEmpty == (probe == .tcp))
    }

    @Test func withoutUsableFilesNothingIsSent() throws {
        let backend = try TestBackend(named: "plain")
        let settings = TLSClientSettings(authority: "/nowhere/ca.crt")
        var configuration = upstream([backend], settings)
        configuration.upstreams[0].health = .standard
        let securities = BackendSecurities([settings: .unusable("no such file")])
        let verdicts = try verdicts(of: configuration.probeTargets(securities))
        #expect(verdicts[backend.address] == HealthVerdict(.down, reason: "no such file"))
        #expect(backend.connectionCount == 0)
    }
}
