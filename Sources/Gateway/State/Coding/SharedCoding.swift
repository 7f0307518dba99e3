import Posix
import Raft

extension NodeID: BinaryCodable {
    init(from reader: inout BinaryReader) throws(DecodingFault) { self.init(try reader.read()) }
    func write(to writer: inout BinaryWriter) { writer.write(number) }
}

extension Term: BinaryCodable {
    init(from reader: inout BinaryReader) throws(DecodingFault) { self.init(try reader.read()) }
    func write(to writer: inout BinaryWriter) { writer.write(number) }
}

extension Revision: BinaryCodable {
    init(from reader: inout BinaryReader) throws(DecodingFault) { self.init(try reader.read()) }
    func write(to writer: inout BinaryWriter) { writer.write(number) }
}

extension WallTime: BinaryCodable {
    init(from reader: inout BinaryReader) throws(DecodingFault) {
        self.init(millisecondsSince1970: try reader.read())
    }
    func write(to writer: inout BinaryWriter) { writer.write(millisecondsSince1970) }
}

extension IPAddress: BinaryCodable {
    init(from reader: inout BinaryReader) throws(DecodingFault) {
        self.init(high: try reader.read(), low: try reader.read())
    }

    func write(to writer: inout BinaryWriter) {
        writer.write(high)
        writer.write(low)
    }
}

extension SocketAddress: BinaryCodable {
    init(from reader: inout BinaryReader) throws(DecodingFault) {
        self.init(ip: try reader.read(), port: try reader.read())
    }

    func write(to writer: inout BinaryWriter) {
        writer.write(ip)
        writer.write(port)
    }
}

extension BackendKey: BinaryCodable {
    init(from reader: inout BinaryReader) throws(DecodingFault) {
        upstream = try reader.readText("upstream name", limit: Command.Limit.nameBytes)
        address = try reader.read()
    }

    func write(to writer: inout BinaryWriter) {
        writer.write(upstream)
        writer.write(address)
    }
}

extension HealthVerdict: BinaryCodable {
    init(from reader: inout BinaryReader) throws(DecodingFault) {
        status = try reader.readWord("health status")
        reason = try reader.readText("reason", limit: Command.Limit.reasonBytes)
    }

    func write(to writer: inout BinaryWriter) {
        writer.write(status.rawValue)
        writer.write(reason)
    }
}

extension LeaderRecord: BinaryCodable {
    init(from reader: inout BinaryReader) throws(DecodingFault) {
        self.init(node: try reader.read(), term: try reader.read(), at: try reader.read())
    }

    func write(to writer: inout BinaryWriter) {
        writer.write(node)
        writer.write(term)
        writer.write(at)
    }
}

extension VirtualAddressRecord: BinaryCodable {
    init(from reader: inout BinaryReader) throws(DecodingFault) {
        self.init(holder: try reader.readOptional("holder"), term: try reader.read(), at: try reader.read())
    }

    func write(to writer: inout BinaryWriter) {
        writer.write(optional: holder)
        writer.write(term)
        writer.write(at)
    }
}

extension MemberRecord: BinaryCodable {
    init(from reader: inout BinaryReader) throws(DecodingFault) {
        id = try reader.read()
        name = try reader.readText("node name", limit: Command.Limit.nameBytes)
        raft = try reader.readText("raft address", limit: Command.Limit.addressBytes)
        admin = try reader.readText("admin address", limit: Command.Limit.addressBytes)
        version = try reader.readText("version", limit: Command.Limit.nameBytes)
    }

    func write(to writer: inout BinaryWriter) {
        writer.write(id)
        writer.write(name)
        writer.write(raft)
        writer.write(admin)
        writer.write(version)
    }
}
