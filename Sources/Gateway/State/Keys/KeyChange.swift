import Posix

/// Sets or deletes one key, if it is as the proposer expects.
package struct KeyChange: Hashable, Sendable {
    package var key: KeyName
    /// At most `KeySpace.Limit.valueBytes`; nil deletes the key.
    package var value: [UInt8]?
    package var condition: Condition
    package var at: WallTime

    /// How the key has to be for the change to happen: compare-and-set.
    package enum Condition: Hashable, Sendable {
        case any
        case absent
        case present
        case unchangedSince(KeyRevision)

        /// `current` is the key's revision, nil where there is none.
        func allows(_ current: KeyRevision?) -> Bool {
            switch self {
            case .any: true
            case .absent: current == nil
            case .present: current != nil
            case .unchangedSince(let revision): current == revision
            }
        }
    }

    package init(key: KeyName, value: [UInt8]?, condition: Condition, at: WallTime) {
        self.key = key
        self.value = value
        self.condition = condition
        self.at = at
    }
}

extension KeyChange: BinaryCodable {
    init(from reader: inout BinaryReader) throws(DecodingFault) {
        key = try reader.read()
        condition = try reader.read()
        at = try reader.read()
        let start = reader.offset
        switch try reader.read(UInt8.self) {
        case 0: value = nil
        case 1: value = try reader.readBytes("value", limit: KeySpace.Limit.valueBytes)
        case _: throw .invalid(what: "value", offset: start)
        }
    }

    func write(to writer: inout BinaryWriter) {
        writer.write(key)
        writer.write(condition)
        writer.write(at)
        writer.write(UInt8(value == nil ? 0 : 1))
        if let value { writer.write(bytes: value) }
    }
}

extension KeyChange.Condition: BinaryCodable {
    init(from reader: inout BinaryReader) throws(DecodingFault) {
        let start = reader.offset
        switch try reader.read(UInt8.self) {
        case 0: self = .any
        case 1: self = .absent
        case 2: self = .present
        case 3: self = .unchangedSince(KeyRevision(try reader.read()))
        case _: throw .invalid(what: "condition", offset: start)
        }
    }

    func write(to writer: inout BinaryWriter) {
        switch self {
        case .any: writer.write(UInt8(0))
        case .absent: writer.write(UInt8(1))
        case .present: writer.write(UInt8(2))
        case .unchangedSince(let revision):
            writer.write(UInt8(3))
            writer.write(revision.number)
        }
    }
}
