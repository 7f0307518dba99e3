import Posix

extension RegistrationKey: BinaryCodable {
    init(from reader: inout BinaryReader) throws(DecodingFault) {
        upstream = try reader.readText("upstream name", limit: Command.Limit.nameBytes)
        id = try reader.readText("registration", limit: Command.Limit.nameBytes)
    }

    func write(to writer: inout BinaryWriter) {
        writer.write(upstream)
        writer.write(id)
    }
}

extension Registration: BinaryCodable {
    init(from reader: inout BinaryReader) throws(DecodingFault) {
        address = SocketAddress(ip: try reader.read(), port: try reader.read())
        let offset = reader.offset
        weight = Int(try reader.read(UInt16.self))
        timeToLiveSeconds = Int(try reader.read(UInt16.self))
        guard BackendEdit.weights.contains(weight), Registrations.timesToLive.contains(timeToLiveSeconds) else {
            throw .invalid(what: "registration", offset: offset)
        }
    }

    func write(to writer: inout BinaryWriter) {
        writer.write(address.ip)
        writer.write(address.port)
        writer.write(UInt16(clamping: weight))
        writer.write(UInt16(clamping: timeToLiveSeconds))
    }
}

extension RegistrationChange: BinaryCodable {
    init(from reader: inout BinaryReader) throws(DecodingFault) {
        self.init(key: try reader.read(), registration: try reader.read(), at: try reader.read())
    }

    func write(to writer: inout BinaryWriter) {
        writer.write(key)
        writer.write(registration)
        writer.write(at)
    }
}

extension RegistrationRemoval: BinaryCodable {
    init(from reader: inout BinaryReader) throws(DecodingFault) {
        self.init(key: try reader.read(), at: try reader.read())
    }

    func write(to writer: inout BinaryWriter) {
        writer.write(key)
        writer.write(at)
    }
}

extension Registrations: BinaryCodable {
    init(from reader: inout BinaryReader) throws(DecodingFault) {
        revision = try reader.read()
        for one in try reader.readList(of: KeyedEntry.self, "registrations", limit: Limit.count) {
            entries[one.key] = one.entry
        }
    }

    func write(to writer: inout BinaryWriter) {
        writer.write(revision)
        writer.write(list: entries.sorted { $0.key < $1.key }.map { KeyedEntry(key: $0.key, entry: $0.value) })
    }

    private struct KeyedEntry: BinaryCodable {
        let key: RegistrationKey
        let entry: Entry

        init(key: RegistrationKey, entry: Entry) {
            self.key = key
            self.entry = entry
        }

        init(from reader: inout BinaryReader) throws(DecodingFault) {
            key = try reader.read()
            entry = Entry(registration: try reader.read(), serial: try reader.read())
        }

        func write(to writer: inout BinaryWriter) {
            writer.write(key)
            writer.write(entry.registration)
            writer.write(entry.serial)
        }
    }
}
