import Posix
import Raft

extension Command {
    /// Of shared keys' changes, too.
    static let formatVersion: UInt8 = 3

    /// The command as Raft replicates it: the format's version, the kind, the payload.
    package func encoded() -> [UInt8] {
        var writer = BinaryWriter()
        writer.write(Command.formatVersion)
        switch self {
        case .applyConfiguration(let change): writer.write(Kind.applyConfiguration, change)
        case .setBackendMode(let change): writer.write(Kind.setBackendMode, change)
        case .reportHealth(let change): writer.write(Kind.reportHealth, change)
        case .leaderElected(let record): writer.write(Kind.leaderElected, record)
        case .virtualAddressesMoved(let record): writer.write(Kind.virtualAddressesMoved, record)
        case .describeMember(let record, let time):
            writer.write(Kind.describeMember, record)
            writer.write(time)
        case .forgetReports(let nodes, let time):
            writer.write(Kind.forgetReports.rawValue)
            writer.write(list: nodes)
            writer.write(time)
        case .changeMember(let change): writer.write(Kind.changeMember, change)
        case .forgetMembers(let nodes, let time):
            writer.write(Kind.forgetMembers.rawValue)
            writer.write(list: nodes)
            writer.write(time)
        case .moveLeadership(let move): writer.write(Kind.moveLeadership, move)
        case .register(let change): writer.write(Kind.register, change)
        case .deregister(let change): writer.write(Kind.deregister, change)
        case .expireRegistrations(let serials, let time):
            writer.write(Kind.expireRegistrations.rawValue)
            writer.write(list: serials) { writer, serial in writer.write(serial) }
            writer.write(time)
        case .rotateTicketKeys(let entry): writer.write(Kind.rotateTicketKeys, entry)
        case .decideScaling(let decision): writer.write(Kind.decideScaling, decision)
        case .acknowledgeScaling(let acknowledgement): writer.write(Kind.acknowledgeScaling, acknowledgement)
        case .changeLoan(let change): writer.write(Kind.changeLoan, change)
        }
        return writer.bytes
    }

    /// Reads a command; any bytes whatever give a command or a fault.
    package init(decoding bytes: [UInt8]) throws(DecodingFault) {
        var reader = BinaryReader(bytes)
        try reader.expectVersion(Command.formatVersion)
        guard let kind = Kind(rawValue: try reader.read()) else { throw .invalid(what: "kind of command", offset: 1) }
        switch kind {
        case .applyConfiguration: self = .applyConfiguration(try reader.read())
        case .setBackendMode: self = .setBackendMode(try reader.read())
        case .reportHealth: self = .reportHealth(try reader.read())
        case .leaderElected: self = .leaderElected(try reader.read())
        case .virtualAddressesMoved: self = .virtualAddressesMoved(try reader.read())
        case .describeMember: self = .describeMember(try reader.read(), at: try reader.read())
        case .forgetReports:
            self = .forgetReports(of: try reader.readList("nodes", limit: Limit.nodes), at: try reader.read())
        case .changeMember: self = .changeMember(try reader.read())
        case .forgetMembers:
            self = .forgetMembers(try reader.readList("nodes", limit: Limit.nodes), at: try reader.read())
        case .moveLeadership: self = .moveLeadership(try reader.read())
        case .register: self = .register(try reader.read())
        case .deregister: self = .deregister(try reader.read())
        case .expireRegistrations:
            let serials = try reader.readList("registrations", limit: Registrations.Limit.count) {
                reader throws(DecodingFault) in try reader.read(UInt64.self)
            }
            self = .expireRegistrations(serials, at: try reader.read())
        case .rotateTicketKeys: self = .rotateTicketKeys(try reader.read())
        case .decideScaling: self = .decideScaling(try reader.read())
        case .acknowledgeScaling: self = .acknowledgeScaling(try reader.read())
        case .changeLoan: self = .changeLoan(try reader.read())
        }
        try reader.finish()
    }

    fileprivate enum Kind: UInt8 {
        case applyConfiguration = 1
        case setBackendMode = 2
        case reportHealth = 3
        case leaderElected = 4
        case virtualAddressesMoved = 5
        case describeMember = 6
        case forgetReports = 7
        case changeMember = 8
        case forgetMembers = 9
        case moveLeadership = 10
        case register = 11
        case deregister = 12
        case expireRegistrations = 13
        case rotateTicketKeys = 14
        case decideScaling = 15
        case acknowledgeScaling = 16
        case changeLoan = 17
    }
}

extension BinaryWriter {
    fileprivate mutating func write(_ kind: Command.Kind, _ payload: some BinaryCodable) {
        write(kind.rawValue)
        write(payload)
    }
}

extension ConfigurationChange: BinaryCodable {
    init(from reader: inout BinaryReader) throws(DecodingFault) {
        source = try reader.readText("configuration", limit: Command.Limit.sourceBytes)
        backends = try reader.readList("backends", limit: Command.Limit.backends)
        virtualAddresses = try reader.readList(
            "virtual addresses", limit: GatewayConfiguration.Limit.virtualAddresses)
        spreadsAddresses = try reader.readFlag("spread")
        expectedRevision = try reader.readOptional("expected revision")
        author = try reader.readText("author", limit: Command.Limit.nameBytes)
        at = try reader.read()
    }

    func write(to writer: inout BinaryWriter) {
        writer.write(source)
        writer.write(list: backends)
        writer.write(list: virtualAddresses)
        writer.write(spreadsAddresses ? UInt8(1) : 0)
        writer.write(optional: expectedRevision)
        writer.write(author)
        writer.write(at)
    }
}

extension BackendModeChange: BinaryCodable {
    init(from reader: inout BinaryReader) throws(DecodingFault) {
        backend = try reader.read()
        mode = try reader.readWord("mode")
        author = try reader.readText("author", limit: Command.Limit.nameBytes)
        at = try reader.read()
    }

    func write(to writer: inout BinaryWriter) {
        writer.write(backend)
        writer.write(mode.rawValue)
        writer.write(author)
        writer.write(at)
    }
}

extension HealthReportChange: BinaryCodable {
    init(from reader: inout BinaryReader) throws(DecodingFault) {
        node = try reader.read()
        changes = try reader.readList("health changes", limit: Command.Limit.healthChanges)
        at = try reader.read()
    }

    func write(to writer: inout BinaryWriter) {
        writer.write(node)
        writer.write(list: changes)
        writer.write(at)
    }
}

extension HealthReportChange.Change: BinaryCodable {
    init(from reader: inout BinaryReader) throws(DecodingFault) {
        self.init(try reader.read(), try reader.read())
    }

    func write(to writer: inout BinaryWriter) {
        writer.write(backend)
        writer.write(verdict)
    }
}
