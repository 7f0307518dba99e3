import Posix
import Raft

/// What a node tells the others about itself a few times a second, so that each of them can answer for all.
package struct NodeReport: Hashable, Sendable {
    package var pid: Int32
    package var version: String
    package var role: NodeRole
    package var term: Term
    package var commitIndex: LogIndex
    package var appliedIndex: LogIndex
    /// The virtual addresses on which the node answers now.
    package var heldAddresses: [IPAddress]
    package var fence: Fence
    /// Nil for none.
    package var guardIdentity: GuardIdentity?
    /// The one that its workers use; not `auto`.
    package var engine: EngineChoice
    /// With what its guard signs.
    package var noticeKey: NoticeKey
    /// Requests under way by backend, without those that have none.
    package var activeRequests: [BackendKey: Int]
    package var moved: MovedConnections
    package var rebuilt: RebuiltConnections
    /// Backends that it leaves alone because of how they answer.
    package var ejected: [BackendKey]
    /// Of the upstreams at which requests wait.
    package var queues: [UpstreamQueue]
    /// The serials of registrations that were renewed at the node of late.
    package var renewals: [UInt64]
    /// What is wrong with its files, for people.
    package var problems: [String]
    /// In the first report after it was made.
    package var sample: LiveSample?

    package init(
        pid: Int32, version: String, role: NodeRole, term: Term, commitIndex: LogIndex, appliedIndex: LogIndex,
        heldAddresses: [IPAddress], fence: Fence, guardIdentity: GuardIdentity? = nil, engine: EngineChoice,
        noticeKey: NoticeKey,
        activeRequests: [BackendKey: Int], moved: MovedConnections = MovedConnections(),
        rebuilt: RebuiltConnections = RebuiltConnections(), ejected: [BackendKey] = [],
        queues: [UpstreamQueue] = [], renewals: [UInt64] = [], problems: [String] = [], sample: LiveSample? = nil
    ) {
        self.pid = pid
        self.version = version
        self.role = role
        self.term = term
        self.commitIndex = commitIndex
        self.appliedIndex = appliedIndex
        self.heldAddresses = heldAddresses
        self.fence = fence
        self.guardIdentity = guardIdentity
        self.engine = engine
        self.noticeKey = noticeKey
        self.activeRequests = activeRequests
        self.moved = moved
        self.rebuilt = rebuilt
        self.ejected = ejected
        self.queues = queues
        self.renewals = renewals
        self.problems = problems
        self.sample = sample
    }

    package enum Limit {
        package static let versionBytes = 64
        /// Backends whose running requests are told; those with the fewest are left out first.
        package static let backends = 190
        /// Ejected ones that are told.
        package static let ejected = 20
        /// Upstreams with requests that wait; the shortest queues are left out first.
        package static let queues = 8
        /// Problems that are told, and where each is cut off.
        package static let problems = 8
        package static let problemBytes = 400
    }

    private static let formatVersion: UInt8 = 12

    /// The binary form for other nodes, at most 64 KiB.
    package func encoded() -> [UInt8] {
        var writer = BinaryWriter()
        writer.write(Self.formatVersion)
        writer.write(pid)
        writer.write(version)
        writer.write(role.code)
        writer.write(term.number)
        writer.write(commitIndex.number)
        writer.write(appliedIndex.number)
        writer.write(list: heldAddresses) { writer, address in
            writer.write(address.high)
            writer.write(address.low)
        }
        writer.write(fence.rawValue)
        writer.write(optional: guardIdentity)
        writer.write(engine.code)
        writer.write(noticeKey.first)
        writer.write(noticeKey.second)
        let busiest = activeRequests.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.prefix(Limit.backends)
        writer.write(list: busiest) { writer, entry in
            writer.write(reported: entry.key)
            writer.write(UInt32(clamping: entry.value))
        }
        writer.write(moved.away)
        writer.write(moved.here)
        writer.write(moved.lost)
        writer.write(moved.guarded)
        for count in rebuilt.counts { writer.write(count) }
        writer.write(list: ejected.prefix(Limit.ejected)) { writer, key in writer.write(reported: key) }
        let longest = queues.sorted { ($1.waiting, $0.upstream) < ($0.waiting, $1.upstream) }.prefix(Limit.queues)
        writer.write(list: longest) { writer, queue in
            writer.write(queue.upstream)
            writer.write(UInt32(clamping: queue.waiting))
            writer.write(UInt8(queue.isUpstreamFull ? 1 : 0))
        }
        writer.write(list: renewals.prefix(Registrations.Limit.count)) { writer, serial in writer.write(serial) }
        writer.write(list: problems.prefix(Limit.problems)) { writer, problem in
            writer.write(problem.cutOff(atBytes: Limit.problemBytes))
        }
        writer.write(optional: sample)
        return writer.bytes
    }

    package init(decoding bytes: [UInt8]) throws(DecodingFault) {
        var reader = BinaryReader(bytes)
        let format = try reader.read(UInt8.self)
        guard format == Self.formatVersion else { throw .unknownVersion(format) }
        pid = try reader.read()
        version = try reader.readText("version", limit: Limit.versionBytes)
        let roleOffset = reader.offset
        guard let role = NodeRole(code: try reader.read()) else { throw .invalid(what: "role", offset: roleOffset) }
        self.role = role
        term = Term(try reader.read())
        commitIndex = LogIndex(try reader.read())
        appliedIndex = LogIndex(try reader.read())
        heldAddresses = try reader.readList("held addresses", limit: GatewayConfiguration.Limit.virtualAddresses) {
            reader throws(DecodingFault) in
            IPAddress(high: try reader.read(), low: try reader.read())
        }
        let fenceOffset = reader.offset
        guard let fence = Fence(rawValue: try reader.read()) else {
            throw .invalid(what: "fence", offset: fenceOffset)
        }
        self.fence = fence
        guardIdentity = try reader.readOptional("guard")
        let engineOffset = reader.offset
        guard let engine = EngineChoice(code: try reader.read()) else {
            throw .invalid(what: "engine", offset: engineOffset)
        }
        self.engine = engine
        noticeKey = NoticeKey(first: try reader.read(), second: try reader.read())
        let active = try reader.readList("active requests", limit: Limit.backends) {
            reader throws(DecodingFault) -> (BackendKey, Int) in
            (try reader.readReportedBackend(), Int(try reader.read(UInt32.self)))
        }
        activeRequests = Dictionary(active) { first, _ in first }
        moved = MovedConnections(
            away: try reader.read(), here: try reader.read(), lost: try reader.read(),
            guarded: try reader.read())
        rebuilt = RebuiltConnections(
            here: try reader.read(), ended: try reader.read(), gone: try reader.read(), known: try reader.read(),
            refused: try reader.read(), shared: try reader.read())
        ejected = try reader.readList("ejected backends", limit: Limit.ejected) {
            reader throws(DecodingFault) in try reader.readReportedBackend()
        }
        queues = try reader.readList("queues", limit: Limit.queues) { reader throws(DecodingFault) in
            UpstreamQueue(
                upstream: try reader.readText("upstream", limit: Command.Limit.nameBytes),
                waiting: Int(try reader.read(UInt32.self)), isUpstreamFull: try reader.read(UInt8.self) == 1)
        }
        renewals = try reader.readList("renewals", limit: Registrations.Limit.count) {
            reader throws(DecodingFault) in try reader.read(UInt64.self)
        }
        problems = try reader.readList("problems", limit: Limit.problems) { reader throws(DecodingFault) in
            try reader.readText("problem", limit: Limit.problemBytes)
        }
        sample = try reader.readOptional("sample")
        try reader.finish()
    }
}

extension BinaryWriter {
    fileprivate mutating func write(reported key: BackendKey) {
        write(key.upstream)
        write(key.address.ip.high)
        write(key.address.ip.low)
        write(key.address.port)
    }
}

extension BinaryReader {
    fileprivate mutating func readReportedBackend() throws(DecodingFault) -> BackendKey {
        let upstream = try readText("upstream", limit: Command.Limit.nameBytes)
        let ip = IPAddress(high: try read(), low: try read())
        return BackendKey(upstream: upstream, address: SocketAddress(ip: ip, port: try read()))
    }
}

extension NodeRole {
    package init(_ role: Role) {
        switch role {
        case .leader: self = .leader
        case .follower: self = .follower
        case .candidate, .preCandidate: self = .candidate
        }
    }

    fileprivate var code: UInt8 {
        switch self {
        case .leader: 1
        case .follower: 2
        case .candidate: 3
        case .unreachable: 4
        }
    }

    fileprivate init?(code: UInt8) {
        guard let role = Self.allCases.first(where: { $0.code == code }) else { return nil }
        self = role
    }
}

extension EngineChoice {
    fileprivate var code: UInt8 {
        switch self {
        case .auto: 0
        case .ioUring: 1
        case .epoll: 2
        }
    }

    fileprivate init?(code: UInt8) {
        guard let engine = Self.allCases.first(where: { $0.code == code }) else { return nil }
        self = engine
    }
}
