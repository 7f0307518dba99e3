import Posix
import Raft

extension ClusterState {
    private static let formatVersion: UInt8 = 7

    /// The state as a snapshot. Equal states give equal bytes.
    ///
    /// There is no checksum in it: the snapshot file and the frames that carry it have theirs.
    package func encoded() -> [UInt8] {
        var writer = BinaryWriter()
        writer.write(ClusterState.formatVersion)
        writer.write(optional: configuration)
        writer.write(list: history)
        writer.write(list: backends.sorted { $0.key < $1.key }.map(KeyedBackend.init))
        writer.write(optional: leader)
        writer.write(optional: virtualAddressHolder)
        writer.write(list: members.values.sorted { $0.id < $1.id })
        writer.write(list: aims.sorted { $0.key < $1.key }.map(KeyedAim.init))
        writer.write(list: drained.sorted())
        writer.write(journal.nextSequence)
        writer.write(list: journal.entries)
        writer.write(registrations)
        writer.write(ticketKeys)
        writer.write(scaling)
        writer.write(loans.changes)
        writer.write(list: loans.all.sorted { Right($0.key) < Right($1.key) }.map(KeyedLoan.init))
        return writer.bytes
    }

    /// Reads a snapshot; any bytes whatever give a state or a fault.
    package init(decoding bytes: [UInt8]) throws(DecodingFault) {
        var reader = BinaryReader(bytes)
        try reader.expectVersion(ClusterState.formatVersion)
        configuration = try reader.readOptional("configuration")
        history = try reader.readList("history", limit: Limit.history)
        for one in try reader.readList(of: KeyedBackend.self, "backends", limit: Command.Limit.backends) {
            backends[one.key] = one.record
        }
        leader = try reader.readOptional("leader")
        virtualAddressHolder = try reader.readOptional("holder of the virtual addresses")
        for member in try reader.readList(of: MemberRecord.self, "members", limit: Limit.members) {
            members[member.id] = member
        }
        let aimLimit = Limit.members + Limit.removedMembers
        for one in try reader.readList(of: KeyedAim.self, "aims", limit: aimLimit) { aims[one.node] = one.aim }
        drained = Set(try reader.readList("drained members", limit: Limit.members))
        journal.nextSequence = try reader.read()
        journal.entries = try reader.readList("journal", limit: Limit.journal)
        registrations = try reader.read()
        ticketKeys = try reader.read()
        scaling = try reader.read()
        let changes = try reader.read(UInt64.self)
        var lent: [IPAddress: Loan] = [:]
        let loanLimit = GatewayConfiguration.Limit.virtualAddresses
        for one in try reader.readList(of: KeyedLoan.self, "loans", limit: loanLimit) { lent[one.address] = one.loan }
        loans = Loans(lent, changes: changes)
        try reader.finish()
    }
}

extension ConfigurationRecord: BinaryCodable {
    init(from reader: inout BinaryReader) throws(DecodingFault) {
        revision = try reader.read()
        source = try reader.readText("configuration", limit: Command.Limit.sourceBytes)
        virtualAddresses = try reader.readList(
            "virtual addresses", limit: GatewayConfiguration.Limit.virtualAddresses)
        spreadsAddresses = try reader.readFlag("spread")
        author = try reader.readText("author", limit: Command.Limit.nameBytes)
        at = try reader.read()
    }

    func write(to writer: inout BinaryWriter) {
        writer.write(revision)
        writer.write(source)
        writer.write(list: virtualAddresses)
        writer.write(spreadsAddresses ? UInt8(1) : 0)
        writer.write(author)
        writer.write(at)
    }
}

private struct KeyedLoan: BinaryCodable {
    let address: IPAddress
    let loan: Loan

    init(key: IPAddress, value: Loan) {
        address = key
        loan = value
    }

    init(from reader: inout BinaryReader) throws(DecodingFault) {
        address = try reader.read()
        loan = try reader.read()
    }

    func write(to writer: inout BinaryWriter) {
        writer.write(address)
        writer.write(loan)
    }
}

private struct KeyedBackend: BinaryCodable {
    let key: BackendKey
    var record: BackendRecord

    init(key: BackendKey, value: BackendRecord) {
        self.key = key
        record = value
    }

    init(from reader: inout BinaryReader) throws(DecodingFault) {
        key = try reader.read()
        record = BackendRecord()
        record.mode = try reader.readWord("mode")
        record.reports = try reader.readList("health reports", limit: Command.Limit.nodes)
    }

    func write(to writer: inout BinaryWriter) {
        writer.write(key)
        writer.write(record.mode.rawValue)
        writer.write(list: record.reports)
    }
}

extension HealthReport: BinaryCodable {
    init(from reader: inout BinaryReader) throws(DecodingFault) {
        self.init(node: try reader.read(), verdict: try reader.read(), since: try reader.read())
    }

    func write(to writer: inout BinaryWriter) {
        writer.write(node)
        writer.write(verdict)
        writer.write(since)
    }
}

extension JournalEntry: BinaryCodable {
    init(from reader: inout BinaryReader) throws(DecodingFault) {
        self.init(sequence: try reader.read(), at: try reader.read(), event: try reader.read())
    }

    func write(to writer: inout BinaryWriter) {
        writer.write(sequence)
        writer.write(at)
        writer.write(event)
    }
}

extension JournalEvent: BinaryCodable {
    init(from reader: inout BinaryReader) throws(DecodingFault) {
        let start = reader.offset
        let textLimit = Command.Limit.nameBytes
        switch try reader.read(UInt8.self) {
        case 1: self = .leaderElected(try reader.read(), term: try reader.read())
        case 2: self = .virtualAddressesTaken(by: try reader.read(), term: try reader.read())
        case 3: self = .virtualAddressesReleased(term: try reader.read())
        case 4:
            self = .configurationApplied(
                try reader.read(), author: try reader.readText("author", limit: textLimit))
        case 5:
            self = .backendModeChanged(
                try reader.read(), try reader.readWord("mode"),
                author: try reader.readText("author", limit: textLimit))
        case 6: self = .backendHealthChanged(try reader.read(), try reader.read())
        case 7:
            self = .memberDescribed(
                try reader.read(), name: try reader.readText("node name", limit: textLimit),
                version: try reader.readText("version", limit: textLimit))
        case 8:
            self = .memberAdded(
                try reader.read(), name: try reader.readText("node name", limit: textLimit),
                author: try reader.readText("author", limit: textLimit))
        case 9: self = .memberPromoted(try reader.read(), author: try reader.readText("author", limit: textLimit))
        case 10: self = .memberRemoved(try reader.read(), author: try reader.readText("author", limit: textLimit))
        case 11:
            self = .leadershipMoveWanted(
                to: try reader.readOptional("leader"), author: try reader.readText("author", limit: textLimit))
        case 12: self = .backendRegistered(try reader.read(), id: try reader.readText("registration", limit: textLimit))
        case 13:
            self = .backendDeregistered(try reader.read(), id: try reader.readText("registration", limit: textLimit))
        case 14:
            self = .registrationExpired(try reader.read(), id: try reader.readText("registration", limit: textLimit))
        case 15: self = .memberDrained(try reader.read(), author: try reader.readText("author", limit: textLimit))
        case 16: self = .memberUndrained(try reader.read(), author: try reader.readText("author", limit: textLimit))
        case 17:
            self = .scalingDecided(
                try reader.readText("upstream name", limit: textLimit), desired: Int(try reader.read(UInt16.self)),
                number: try reader.read())
        case 18:
            self = .scalingHookEnded(
                try reader.readText("upstream name", limit: textLimit), number: try reader.read(), try reader.read())
        case 19: self = .addressLent(try reader.read(), to: try reader.read())
        case 20: self = .addressReturned(try reader.read())
        case _: throw .invalid(what: "kind of journal entry", offset: start)
        }
    }

    func write(to writer: inout BinaryWriter) {
        switch self {
        case .leaderElected(let node, let term):
            writer.write(UInt8(1))
            writer.write(node)
            writer.write(term)
        case .virtualAddressesTaken(let node, let term):
            writer.write(UInt8(2))
            writer.write(node)
            writer.write(term)
        case .virtualAddressesReleased(let term):
            writer.write(UInt8(3))
            writer.write(term)
        case .configurationApplied(let revision, let author):
            writer.write(UInt8(4))
            writer.write(revision)
            writer.write(author)
        case .backendModeChanged(let backend, let mode, let author):
            writer.write(UInt8(5))
            writer.write(backend)
            writer.write(mode.rawValue)
            writer.write(author)
        case .backendHealthChanged(let backend, let verdict):
            writer.write(UInt8(6))
            writer.write(backend)
            writer.write(verdict)
        case .memberDescribed(let node, let name, let version):
            writer.write(UInt8(7))
            writer.write(node)
            writer.write(name)
            writer.write(version)
        case .memberAdded(let node, let name, let author):
            writer.write(UInt8(8))
            writer.write(node)
            writer.write(name)
            writer.write(author)
        case .memberPromoted(let node, let author):
            writer.write(UInt8(9))
            writer.write(node)
            writer.write(author)
        case .memberRemoved(let node, let author):
            writer.write(UInt8(10))
            writer.write(node)
            writer.write(author)
        case .memberDrained(let node, let author):
            writer.write(UInt8(15))
            writer.write(node)
            writer.write(author)
        case .memberUndrained(let node, let author):
            writer.write(UInt8(16))
            writer.write(node)
            writer.write(author)
        case .backendRegistered(let backend, let id):
            writer.write(UInt8(12))
            writer.write(backend)
            writer.write(id)
        case .backendDeregistered(let backend, let id):
            writer.write(UInt8(13))
            writer.write(backend)
            writer.write(id)
        case .registrationExpired(let backend, let id):
            writer.write(UInt8(14))
            writer.write(backend)
            writer.write(id)
        case .scalingDecided(let upstream, let desired, let number):
            writer.write(UInt8(17))
            writer.write(upstream)
            writer.write(UInt16(clamping: desired))
            writer.write(number)
        case .scalingHookEnded(let upstream, let number, let result):
            writer.write(UInt8(18))
            writer.write(upstream)
            writer.write(number)
            writer.write(result)
        case .addressLent(let address, let node):
            writer.write(UInt8(19))
            writer.write(address)
            writer.write(node)
        case .addressReturned(let address):
            writer.write(UInt8(20))
            writer.write(address)
        case .leadershipMoveWanted(let node, let author):
            writer.write(UInt8(11))
            writer.write(optional: node)
            writer.write(author)
        }
    }
}
