import Posix
import Raft

extension Loan: BinaryCodable {
    init(from reader: inout BinaryReader) throws(DecodingFault) {
        self.init(
            try reader.read(), isRecalled: try reader.readFlag("recall"), isLong: try reader.readFlag("long loan"),
            number: try reader.read())
    }

    func write(to writer: inout BinaryWriter) {
        writer.write(node)
        writer.write(isRecalled ? UInt8(1) : 0)
        writer.write(isLong ? UInt8(1) : 0)
        writer.write(number)
    }
}

extension LoanChange: BinaryCodable {
    init(from reader: inout BinaryReader) throws(DecodingFault) {
        self.init(
            try reader.read(), from: try reader.readOptional("loan"), to: try reader.read(), term: try reader.read())
        at = try reader.read()
    }

    func write(to writer: inout BinaryWriter) {
        writer.write(address)
        writer.write(optional: from)
        writer.write(to)
        writer.write(term)
        writer.write(at)
    }
}

extension LoanAim: BinaryCodable {
    init(from reader: inout BinaryReader) throws(DecodingFault) {
        switch try reader.read(UInt8.self) {
        case 0: self = .own
        case 1: self = .lent(try reader.read())
        case 2: self = .recalled(try reader.read())
        case 3: self = .long
        case 4: self = .short
        default: throw .invalid(what: "aim of a loan", offset: reader.offset - 1)
        }
    }

    func write(to writer: inout BinaryWriter) {
        switch self {
        case .own: writer.write(UInt8(0))
        case .lent(let node):
            writer.write(UInt8(1))
            writer.write(node)
        case .recalled(let node):
            writer.write(UInt8(2))
            writer.write(node)
        case .long: writer.write(UInt8(3))
        case .short: writer.write(UInt8(4))
        }
    }
}

extension BinaryReader {
    mutating func readFlag(_ what: String) throws(DecodingFault) -> Bool {
        let value = try read(UInt8.self)
        guard value <= 1 else { throw .invalid(what: what, offset: offset - 1) }
        return value == 1
    }
}
