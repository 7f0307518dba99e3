import Posix

/// The binary form for other nodes.
extension LiveSample: BinaryCodable {
    enum CodingLimit {
        /// The busiest upstreams are told; their sum covers all.
        static let upstreams = 24
    }

    func write(to writer: inout BinaryWriter) {
        writer.write(span.count)
        for count in [requests, errors, bytesReceived, bytesSent] { writer.write(count) }
        writer.write(UInt32(clamping: activeRequests))
        writer.write(UInt32(clamping: clientConnections))
        let busiest = upstreams.sorted { ($1.requests, $0.name) < ($0.requests, $1.name) }
        writer.write(list: busiest.prefix(CodingLimit.upstreams)) { writer, upstream in
            writer.write(upstream.name)
            for count in [upstream.requests, upstream.errors, upstream.retries] { writer.write(count) }
            writer.write(upstream.durations.sum.count)
            let buckets = upstream.durations.counts.enumerated().filter { $0.element > 0 }
            writer.write(list: buckets) { writer, bucket in
                writer.write(UInt8(bucket.offset))
                writer.write(UInt32(clamping: bucket.element))
            }
        }
    }

    init(from reader: inout BinaryReader) throws(DecodingFault) {
        let offset = reader.offset
        span = Nanoseconds(try reader.read())
        guard span > .zero else { throw .invalid(what: "span of a sample", offset: offset) }
        requests = try reader.read()
        errors = try reader.read()
        bytesReceived = try reader.read()
        bytesSent = try reader.read()
        activeRequests = Int(try reader.read(UInt32.self))
        clientConnections = Int(try reader.read(UInt32.self))
        upstreams = try reader.readList("sampled upstreams", limit: CodingLimit.upstreams) {
            reader throws(DecodingFault) in try Upstream(from: &reader)
        }
    }
}

extension LiveSample.Upstream {
    fileprivate init(from reader: inout BinaryReader) throws(DecodingFault) {
        name = try reader.readText("upstream", limit: Command.Limit.nameBytes)
        requests = try reader.read()
        errors = try reader.read()
        retries = try reader.read()
        let sum = Nanoseconds(try reader.read())
        var counts = [UInt64](repeating: 0, count: LatencyBuckets.count)
        let buckets = try reader.readList("latency buckets", limit: LatencyBuckets.count) {
            reader throws(DecodingFault) -> (index: UInt8, count: UInt32) in
            let offset = reader.offset
            let index = try reader.read(UInt8.self)
            guard index < LatencyBuckets.count else { throw .invalid(what: "latency bucket", offset: offset) }
            return (index, try reader.read())
        }
        for bucket in buckets { counts[Int(bucket.index)] = UInt64(bucket.count) }
        durations = LatencyHistogram(counts: counts, sum: sum)
    }
}
