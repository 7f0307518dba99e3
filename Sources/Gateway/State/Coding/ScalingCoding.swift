import Posix
import Raft

extension ScalingHookResult: BinaryCodable {
    init(from reader: inout BinaryReader) throws(DecodingFault) {
        let offset = reader.offset
        switch try reader.read(UInt8.self) {
        case 0: hasSucceeded = false
        case 1: hasSucceeded = true
        case _: throw .invalid(what: "result of a hook", offset: offset)
        }
        text = try reader.readText("result of a hook", limit: Command.Limit.reasonBytes)
    }

    func write(to writer: inout BinaryWriter) {
        writer.write(UInt8(hasSucceeded ? 1 : 0))
        writer.write(text)
    }
}

extension ScalingDecision: BinaryCodable {
    init(from reader: inout BinaryReader) throws(DecodingFault) {
        upstream = try reader.readText("upstream name", limit: Command.Limit.nameBytes)
        desired = try reader.readDesired()
        replaces = try reader.read()
        term = try reader.read()
        at = try reader.read()
    }

    func write(to writer: inout BinaryWriter) {
        writer.write(upstream)
        writer.write(UInt16(clamping: desired))
        writer.write(replaces)
        writer.write(term)
        writer.write(at)
    }
}

extension ScalingAcknowledgement: BinaryCodable {
    init(from reader: inout BinaryReader) throws(DecodingFault) {
        upstream = try reader.readText("upstream name", limit: Command.Limit.nameBytes)
        number = try reader.read()
        result = try reader.read()
        at = try reader.read()
    }

    func write(to writer: inout BinaryWriter) {
        writer.write(upstream)
        writer.write(number)
        writer.write(result)
        writer.write(at)
    }
}

extension ScalingRecords: BinaryCodable {
    init(from reader: inout BinaryReader) throws(DecodingFault) {
        number = try reader.read()
        let limit = GatewayConfiguration.Limit.upstreams
        for one in try reader.readList(of: Keyed.self, "scaling", limit: limit) { entries[one.upstream] = one.record }
    }

    func write(to writer: inout BinaryWriter) {
        writer.write(number)
        writer.write(list: entries.sorted { $0.key < $1.key }.map { Keyed(upstream: $0.key, record: $0.value) })
    }

    private struct Keyed: BinaryCodable {
        let upstream: String
        let record: ScalingRecord

        init(upstream: String, record: ScalingRecord) {
            self.upstream = upstream
            self.record = record
        }

        init(from reader: inout BinaryReader) throws(DecodingFault) {
            upstream = try reader.readText("upstream name", limit: Command.Limit.nameBytes)
            record = ScalingRecord(
                desired: try reader.readDesired(), number: try reader.read(), term: try reader.read(),
                at: try reader.read(), hook: try reader.readOptional("result of a hook"))
        }

        func write(to writer: inout BinaryWriter) {
            writer.write(upstream)
            writer.write(UInt16(clamping: record.desired))
            writer.write(record.number)
            writer.write(record.term)
            writer.write(record.at)
            writer.write(optional: record.hook)
        }
    }
}

extension BinaryReader {
    fileprivate mutating func readDesired() throws(DecodingFault) -> Int {
        let start = offset
        let desired = Int(try read(UInt16.self))
        guard desired <= ScalingPolicy.most else { throw .invalid(what: "number of backends", offset: start) }
        return desired
    }
}
