import Posix
import Raft

extension MemberChange: BinaryCodable {
    init(from reader: inout BinaryReader) throws(DecodingFault) {
        wish = try reader.read()
        author = try reader.readText("author", limit: Command.Limit.nameBytes)
        at = try reader.read()
    }

    func write(to writer: inout BinaryWriter) {
        writer.write(wish)
        writer.write(author)
        writer.write(at)
    }
}

extension MemberChange.Wish: BinaryCodable {
    init(from reader: inout BinaryReader) throws(DecodingFault) {
        let start = reader.offset
        switch try reader.read(UInt8.self) {
        case 1: self = .add(try reader.read(), votes: true)
        case 2: self = .add(try reader.read(), votes: false)
        case 3: self = .promote(try reader.read())
        case 4: self = .remove(try reader.read())
        case 5: self = .drain(try reader.read())
        case 6: self = .undrain(try reader.read())
        case _: throw .invalid(what: "kind of member change", offset: start)
        }
    }

    func write(to writer: inout BinaryWriter) {
        switch self {
        case .add(let record, let votes):
            writer.write(UInt8(votes ? 1 : 2))
            writer.write(record)
        case .promote(let node):
            writer.write(UInt8(3))
            writer.write(node)
        case .remove(let node):
            writer.write(UInt8(4))
            writer.write(node)
        case .drain(let node):
            writer.write(UInt8(5))
            writer.write(node)
        case .undrain(let node):
            writer.write(UInt8(6))
            writer.write(node)
        }
    }
}

extension LeadershipMove: BinaryCodable {
    init(from reader: inout BinaryReader) throws(DecodingFault) {
        target = try reader.readOptional("target")
        author = try reader.readText("author", limit: Command.Limit.nameBytes)
        at = try reader.read()
    }

    func write(to writer: inout BinaryWriter) {
        writer.write(optional: target)
        writer.write(author)
        writer.write(at)
    }
}

struct KeyedAim: BinaryCodable {
    let node: NodeID
    let aim: MemberAim

    init(key: NodeID, value: MemberAim) {
        node = key
        aim = value
    }

    init(from reader: inout BinaryReader) throws(DecodingFault) {
        node = try reader.read()
        aim = try reader.readWord("aim")
    }

    func write(to writer: inout BinaryWriter) {
        writer.write(node)
        writer.write(aim.rawValue)
    }
}
