import Posix
import Raft

/// What two processes of a node say to each other while one takes the other's place, each in one datagram.
package enum UpgradeMessage: Hashable, Sendable {
    // Of the new process.
    case hello(pid: Int32)
    case prepared(version: String)
    case refused(String)
    case begins
    case serves
    case proven

    // Of the former one.
    case offer(UpgradeOffer)
    /// Sockets that listen on this address come along, one for each worker at the most.
    case listeners(SocketAddress)
    /// The lock of the data directory, the sockets of Raft and of the admin API come along, then that on which guards are
    /// heard if there is one, then those of `PassedGuard` if there is a guard.
    case estate(UpgradeEstate)
    /// Connections of clients come along, with what was received of each and not used.
    case connections(unread: [[UInt8]])

    /// Raised with every change of a message: processes that do not understand each other stay as they are.
    private static let version: UInt8 = 2

    package enum Limit {
        static let text = 4096
        /// Received bytes of all connections of one message, beside what a single one has.
        package static let unread = 32 << 10
    }

    package func encoded() -> [UInt8] {
        var writer = BinaryWriter()
        writer.write(Self.version)
        switch self {
        case .hello(let pid):
            writer.write(UInt8(1))
            writer.write(pid)
        case .prepared(let version):
            writer.write(UInt8(2))
            writer.write(version)
        case .refused(let reason):
            writer.write(UInt8(3))
            writer.write(String(decoding: reason.utf8.prefix(Limit.text / 4), as: UTF8.self))
        case .begins: writer.write(UInt8(4))
        case .serves: writer.write(UInt8(5))
        case .proven: writer.write(UInt8(6))
        case .offer(let offer):
            writer.write(UInt8(7))
            offer.write(to: &writer)
        case .listeners(let address):
            writer.write(UInt8(8))
            writer.write(address.ip.high)
            writer.write(address.ip.low)
            writer.write(address.port)
        case .estate(let estate):
            writer.write(UInt8(9))
            estate.write(to: &writer)
        case .connections(let unread):
            writer.write(UInt8(10))
            writer.write(list: unread) { $0.write(bytes: $1) }
        }
        return writer.bytes
    }

    package init(decoding bytes: [UInt8]) throws(DecodingFault) {
        var reader = BinaryReader(bytes)
        try reader.expectVersion(Self.version)
        switch try reader.read(UInt8.self) {
        case 1: self = .hello(pid: try reader.read())
        case 2: self = .prepared(version: try reader.readText("version", limit: Limit.text))
        case 3: self = .refused(try reader.readText("reason", limit: Limit.text))
        case 4: self = .begins
        case 5: self = .serves
        case 6: self = .proven
        case 7: self = .offer(try UpgradeOffer(from: &reader))
        case 8:
            let ip = IPAddress(high: try reader.read(), low: try reader.read())
            self = .listeners(SocketAddress(ip: ip, port: try reader.read()))
        case 9: self = .estate(try UpgradeEstate(from: &reader))
        case 10:
            self = .connections(
                unread: try reader.readList("connections", limit: DescriptorChannel.descriptors) {
                    reader throws(DecodingFault) in
                    try reader.readBytes("received bytes", limit: DescriptorChannel.bytes)
                })
        default: throw .invalid(what: "kind of message", offset: 1)
        }
        try reader.finish()
    }
}

/// What the new process has to agree with before it may take over.
package struct UpgradeOffer: Hashable, Sendable, BinaryCodable {
    /// What no other process of the node can change, each with its name in the node file.
    package var fixed: [Setting]
    package var workers: UInt32
    /// `GuardOrder.version` of the guard that is handed over; 0 for none.
    package var guardVersion: UInt8

    package struct Setting: Hashable, Sendable {
        package var name: String
        package var value: String
    }

    package init(_ node: NodeConfiguration, workers: Int, guardVersion: UInt8) {
        fixed = [
            Setting(name: "cluster", value: node.cluster), Setting(name: "node.id", value: "\(node.node.id)"),
            Setting(name: "dataDirectory", value: node.dataDirectory),
            Setting(name: "peers", value: node.ownPeer.map { "\($0.raft)" } ?? ""),
            Setting(name: "admin", value: "\(node.admin)"),
            Setting(name: "virtualAddress", value: "\(node.virtualAddress)"),
        ]
        self.workers = UInt32(workers)
        self.guardVersion = guardVersion
    }

    /// Why a process that would offer `own` can not take this one up; nil when it can.
    package func obstacle(for own: UpgradeOffer) -> String? {
        for setting in fixed where !own.fixed.contains(setting) {
            return "the node file has another \(setting.name) than the running node (\(setting.value)), which takes a "
                + "restart: drain the node, then restart it"
        }
        if own.workers < workers {
            return "there would be \(own.workers) workers instead of \(workers), and each of them has a share of the "
                + "waiting connections: drain the node, then restart it"
        }
        if guardVersion != 0 && guardVersion != GuardOrder.version {
            return "this version needs another guard of the virtual addresses than the one that runs: drain the node, "
                + "then restart it"
        }
        return nil
    }

    init(from reader: inout BinaryReader) throws(DecodingFault) {
        fixed = try reader.readList("settings", limit: 64) { reader throws(DecodingFault) in
            Setting(
                name: try reader.readText("name", limit: UpgradeMessage.Limit.text),
                value: try reader.readText("value", limit: UpgradeMessage.Limit.text))
        }
        workers = try reader.read()
        guardVersion = try reader.read()
    }

    func write(to writer: inout BinaryWriter) {
        writer.write(list: fixed) { writer, setting in
            writer.write(setting.name)
            writer.write(setting.value)
        }
        writer.write(workers)
        writer.write(guardVersion)
    }
}

/// From where the new process goes on.
package struct UpgradeEstate: Hashable, Sendable, BinaryCodable {
    package var continuation: Continuation?
    /// The node knew a leader and, as one, had a quorum.
    package var hadQuorum: Bool
    package var hasNotices: Bool
    package var watch: GuardWatch?

    package init(continuation: Continuation?, hadQuorum: Bool, hasNotices: Bool, watch: GuardWatch?) {
        self.continuation = continuation
        self.hadQuorum = hadQuorum
        self.hasNotices = hasNotices
        self.watch = watch
    }

    init(from reader: inout BinaryReader) throws(DecodingFault) {
        continuation = try reader.read(UInt8.self) == 1 ? try Continuation(from: &reader) : nil
        hadQuorum = try reader.read(UInt8.self) == 1
        hasNotices = try reader.read(UInt8.self) == 1
        watch = try reader.readOptional("guard")
    }

    func write(to writer: inout BinaryWriter) {
        writer.write(UInt8(continuation == nil ? 0 : 1))
        continuation?.write(to: &writer)
        writer.write(UInt8(hadQuorum ? 1 : 0))
        writer.write(UInt8(hasNotices ? 1 : 0))
        writer.write(optional: watch)
    }
}

extension Continuation {
    private static let votersLimit = 64

    fileprivate init(from reader: inout BinaryReader) throws(DecodingFault) {
        self.init(
            term: Term(try reader.read()),
            last: LogPosition(term: Term(try reader.read()), index: LogIndex(try reader.read())),
            commit: LogIndex(try reader.read()), releasedThrough: Term(try reader.read()), leading: nil,
            boot: try reader.read(),
            answered: HeartbeatStamp(round: try reader.read(), sentAt: Instant(nanoseconds: try reader.read())),
            borrowed: try reader.readOptional("loan"))
        guard try reader.read(UInt8.self) == 1 else { return }
        leading = Leading(
            heartbeats: try reader.read(), claimableFrom: Instant(nanoseconds: try reader.read()),
            longLease: Instant(nanoseconds: try reader.read()),
            granted: try reader.readList("voters", limit: Self.votersLimit) { reader throws(DecodingFault) in
                NodeID(try reader.read())
            })
    }

    fileprivate func write(to writer: inout BinaryWriter) {
        writer.write(term.number)
        writer.write(last.term.number)
        writer.write(last.index.number)
        writer.write(commit.number)
        writer.write(releasedThrough.number)
        writer.write(boot)
        writer.write(answered.round)
        writer.write(answered.sentAt.nanoseconds)
        writer.write(optional: borrowed)
        writer.write(UInt8(leading == nil ? 0 : 1))
        guard let leading else { return }
        writer.write(leading.heartbeats)
        writer.write(leading.claimableFrom.nanoseconds)
        writer.write(leading.longLease.nanoseconds)
        writer.write(list: leading.granted) { $0.write($1.number) }
    }
}

extension Borrowed: BinaryCodable {
    init(from reader: inout BinaryReader) throws(DecodingFault) {
        self.init(
            grant: GrantID(term: Term(try reader.read()), round: try reader.read()),
            rights: try reader.readList("rights", limit: GatewayConfiguration.Limit.virtualAddresses) {
                reader throws(DecodingFault) in Right(high: try reader.read(), low: try reader.read())
            },
            validUntil: Instant(nanoseconds: try reader.read()))
    }

    func write(to writer: inout BinaryWriter) {
        writer.write(grant.term.number)
        writer.write(grant.round)
        writer.write(list: rights) { writer, right in
            writer.write(right.high)
            writer.write(right.low)
        }
        writer.write(validUntil.nanoseconds)
    }
}
