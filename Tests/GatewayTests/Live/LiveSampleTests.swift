import Gateway
import Posix
import Raft
import Testing

@Suite struct LiveSampleTests {
    private static func counts(_ requests: UInt64, errors: UInt64, milliseconds: [UInt64] = []) -> UpstreamMeasures {
        var measures = UpstreamMeasures()
        measures.responses[1] = requests - errors
        measures.responses[4] = errors
        for duration in milliseconds { measures.durations.record(.milliseconds(duration)) }
        return measures
    }

    private static func statistics(requests: UInt64, active: Int = 0) -> ProxyStatistics {
        var statistics = ProxyStatistics()
        statistics.requests = requests
        statistics.activeRequests = active
        return statistics
    }

    @Test func samplesAreWhatCameSinceTheOneBefore() throws {
        var sampler = LiveSampler()
        let start = Instant.zero + .seconds(10)
        let first = sampler.sample(
            Self.statistics(requests: 100), [("app", Self.counts(90, errors: 1, milliseconds: [5]))], at: start)
        #expect(first == nil)
        let second = sampler.sample(
            Self.statistics(requests: 130, active: 4),
            [("app", Self.counts(110, errors: 3, milliseconds: [5, 7])), ("new", Self.counts(2, errors: 0))],
            at: start + .seconds(2))
        let sample = try #require(second)
        #expect(sample.span == .seconds(2))
        #expect(sample.requests == 30 && sample.activeRequests == 4)
        #expect(sample.upstreams.map(\.name) == ["app", "new"])
        #expect(sample.upstreams.map(\.requests) == [20, 2])
        #expect(sample.upstreams[0].errors == 2)
        #expect(sample.upstreams[0].durations.total == 1)
    }

    /// Its counts begin again, and must not look like an immense difference.
    @Test func anUpstreamThatCameBackCountsFromItsNewBeginning() throws {
        var sampler = LiveSampler()
        _ = sampler.sample(Self.statistics(requests: 1), [("app", Self.counts(50, errors: 5))], at: .zero)
        let second = sampler.sample(
            Self.statistics(requests: 4), [("app", Self.counts(3, errors: 1))], at: .zero + .seconds(1))
        let sample = try #require(second)
        #expect(sample.upstreams[0].requests == 3 && sample.upstreams[0].errors == 1)
    }

    static func sample(requests: UInt64, milliseconds: UInt64) -> LiveSample {
        var durations = LatencyHistogram()
        for _ in 0..<requests { durations.record(.milliseconds(milliseconds)) }
        return LiveSample(
            span: .seconds(2), requests: requests + 2, errors: 4, bytesReceived: 1000, bytesSent: 3000,
            activeRequests: 5, clientConnections: 6,
            upstreams: [
                .init(name: "app", requests: requests, errors: 4, retries: 1, durations: durations)
            ])
    }

    @Test func aReportBringsItsSampleUnchanged() throws {
        var report = Sample.report(.leader, pid: 1, applied: 1)
        report.sample = Self.sample(requests: 10, milliseconds: 3)
        #expect(try NodeReport(decoding: report.encoded()) == report)
    }

    @Test func aSampleWithoutASpanIsRefused() throws {
        var report = Sample.report(.leader, pid: 1, applied: 1)
        report.sample = Self.sample(requests: 10, milliseconds: 3)
        report.sample?.span = .zero
        let bytes = report.encoded()
        #expect(throws: DecodingFault.self) { try NodeReport(decoding: bytes) }
    }

    /// Rates add up; latencies are those of all requests together, not an average of the nodes'.
    @Test func theDocumentAddsTheNodesUp() throws {
        var sources = Sample.sources()
        sources.ownSample = Self.sample(requests: 90, milliseconds: 1)
        var report = Sample.report(.leader, pid: 1, applied: 17)
        report.sample = Self.sample(requests: 10, milliseconds: 100)
        sources.sightings[NodeID(1)] = .init(report: report, at: sources.now)
        let document = sources.liveDocument(at: WallTime(millisecondsSince1970: 0))
        #expect(document.total.requestsPerSecond == 52)
        #expect(document.total.errorsPerSecond == 4)
        #expect(document.upstreams.map(\.rates.requestsPerSecond) == [50])
        #expect(try #require(document.total.p50Milliseconds) < 2)
        #expect(try #require(document.total.p90Milliseconds) < 2)
        #expect(try #require(document.total.p99Milliseconds) >= 100)
        #expect(document.nodes.map(\.known) == [true, true, false], "the third is dead")
        #expect(document.nodes[0].sentBytesPerSecond == 1500)
    }

    /// A sample comes in one report out of several; the others do not take it away, but age does.
    @Test func aSampleIsKeptUntilItIsOld() {
        var sources = Sample.sources()
        var report = Sample.report(.leader, pid: 1, applied: 17)
        report.sample = Self.sample(requests: 10, milliseconds: 100)
        let sampled = StatusSources.Sighting(report: report, at: sources.now)
        report.sample = nil
        sources.now = sources.now + .seconds(2)
        sources.sightings[NodeID(1)] = .init(report: report, at: sources.now, after: sampled)
        #expect(sources.liveDocument(at: .now()).nodes[0].known)
        sources.now = sources.now + .seconds(2)
        sources.sightings[NodeID(1)] = .init(report: report, at: sources.now, after: sources.sightings[NodeID(1)])
        #expect(!sources.liveDocument(at: .now()).nodes[0].known)
    }
}
