import Posix
import Raft

/// The answer of `GET /v1/live`: what the cluster does at the moment, as the answering node knows it. Rates are those
/// of the last second.
package struct LiveDocument: Codable, Hashable, Sendable {
    package struct Rates: Codable, Hashable, Sendable {
        package var requestsPerSecond: Double
        /// Responses of class 5xx.
        package var errorsPerSecond: Double
        package var retriesPerSecond: Double
        /// Of the requests that ended, from head to last byte; null when there was none.
        @NullIfAbsent package var p50Milliseconds: Double?
        @NullIfAbsent package var p90Milliseconds: Double?
        @NullIfAbsent package var p99Milliseconds: Double?
    }

    package struct Upstream: Codable, Hashable, Sendable {
        package var name: String
        package var rates: Rates
    }

    package struct Node: Codable, Hashable, Sendable {
        package var id: UInt64
        package var name: String
        /// False while nothing of its last seconds is known: it is dead, or has just begun.
        package var known: Bool
        package var rates: Rates
        package var activeRequests: Int
        package var clientConnections: Int
        package var receivedBytesPerSecond: Double
        package var sentBytesPerSecond: Double
        /// Its busiest.
        package var upstreams: [Upstream]
    }

    /// The whole cluster at one moment.
    package struct Point: Codable, Hashable, Sendable {
        package var at: String
        package var rates: Rates
    }

    /// RFC 3339.
    package var at: String
    package var total: Rates
    package var nodes: [Node]
    /// Over all nodes, in the order of the configuration.
    package var upstreams: [Upstream]

    package var point: Point { Point(at: at, rates: total) }
}

extension StatusSources {
    /// A sample that is older tells nothing of the present.
    private static let sampleLimit = Nanoseconds.seconds(3)

    package func liveDocument(at time: WallTime) -> LiveDocument {
        let samples = directory.members.map { member in (member, liveSample(of: member.id)) }
        let known = samples.compactMap(\.1)
        return LiveDocument(
            at: time.description, total: LiveDocument.Rates(known),
            nodes: samples.map { LiveDocument.Node($0, $1) },
            upstreams: (configuration?.upstreams ?? []).map { upstream in
                let parts = known.compactMap { sample in
                    sample.upstreams.first { $0.name == upstream.name }.map { (sample.span, $0) }
                }
                return LiveDocument.Upstream(name: upstream.name, rates: LiveDocument.Rates(parts))
            })
    }

    func liveSample(of id: NodeID) -> LiveSample? {
        if id == node { return ownSample }
        guard isAlive(id), let sighting = sightings[id], let sample = sighting.sample else { return nil }
        return now - sighting.sampledAt < Self.sampleLimit ? sample : nil
    }
}

extension LiveDocument.Node {
    fileprivate init(_ member: MemberDirectory.Entry, _ sample: LiveSample?) {
        let seconds = sample.map(\.span.seconds) ?? 1
        self.init(
            id: member.id.number, name: member.name, known: sample != nil,
            rates: LiveDocument.Rates(sample.map { [$0] } ?? []), activeRequests: sample?.activeRequests ?? 0,
            clientConnections: sample?.clientConnections ?? 0,
            receivedBytesPerSecond: Double(sample?.bytesReceived ?? 0) / seconds,
            sentBytesPerSecond: Double(sample?.bytesSent ?? 0) / seconds,
            upstreams: (sample?.upstreams ?? []).map { upstream in
                LiveDocument.Upstream(
                    name: upstream.name, rates: LiveDocument.Rates([(sample?.span ?? .zero, upstream)]))
            })
    }
}

extension LiveDocument.Rates {
    /// Of whole nodes.
    fileprivate init(_ samples: [LiveSample]) {
        let upstreams = samples.flatMap { sample in sample.upstreams.map { (sample.span, $0) } }
        self.init(upstreams)
        // These know of requests without a route, too.
        requestsPerSecond = samples.reduce(0) { $0 + Double($1.requests) / $1.span.seconds }
        errorsPerSecond = samples.reduce(0) { $0 + Double($1.errors) / $1.span.seconds }
    }

    /// Of upstreams at nodes.
    fileprivate init(_ parts: [(span: Nanoseconds, upstream: LiveSample.Upstream)]) {
        var durations = LatencyHistogram()
        for part in parts { durations.add(part.upstream.durations) }
        func sum(_ count: (LiveSample.Upstream) -> UInt64) -> Double {
            parts.reduce(0) { $0 + Double(count($1.upstream)) / max($1.span.seconds, 1e-3) }
        }
        self.init(
            requestsPerSecond: sum(\.requests), errorsPerSecond: sum(\.errors), retriesPerSecond: sum(\.retries),
            p50Milliseconds: durations.quantile(0.5)?.milliseconds,
            p90Milliseconds: durations.quantile(0.9)?.milliseconds,
            p99Milliseconds: durations.quantile(0.99)?.milliseconds)
    }
}
