import Posix
import Raft

/// What the gateway tells its guard: always everything that has changed, numbered, each in one datagram.
package struct GuardOrder: Hashable, Sendable {
    /// Of orders and reports, raised with every change of them: a guard outlives the gateway that started it when that
    /// one is upgraded.
    package static let version: UInt8 = 3

    package var sequence: UInt64
    /// Nil when nothing may be held.
    package var lease: Lease?
    package var isShuttingDown: Bool
    package var share: AddressShare
    /// What is kept back because a planned move is near.
    package var onHold: ArrivalHold
    /// For which addresses.
    package var heldBack: [IPAddress]
    /// The addresses to be held, present when they changed.
    package var addresses: [IPAddress]?
    /// Whom to tell of a release, present when it changed.
    package var witnesses: Witnesses?

    package init(
        sequence: UInt64, lease: Lease?, share: AddressShare = .all, isShuttingDown: Bool,
        onHold: ArrivalHold = .nothing, heldBack: [IPAddress] = [],
        addresses: [IPAddress]? = nil, witnesses: Witnesses? = nil
    ) {
        self.sequence = sequence
        self.lease = lease
        self.isShuttingDown = isShuttingDown
        self.share = share
        self.onHold = onHold
        self.heldBack = heldBack
        self.addresses = addresses
        self.witnesses = witnesses
    }

    package enum Limit {
        package static let witnesses = 64
        /// Of one datagram.
        package static let bytes = 4096
    }

    package func encoded() -> [UInt8] {
        var writer = BinaryWriter()
        writer.write(sequence)
        writer.write(UInt8(isShuttingDown ? 1 : 0))
        writer.write(onHold.rawValue)
        writer.write(lease?.term.number ?? 0)
        writer.write(lease?.validUntil.nanoseconds ?? 0)
        writer.write(lease?.claimableFrom.nanoseconds ?? 0)
        writer.write(share)
        writer.write(list: heldBack) { $0.write($1) }
        writer.write(UInt8(addresses == nil ? 0 : 1))
        if let addresses { writer.write(list: addresses) { $0.write($1) } }
        writer.write(UInt8(witnesses == nil ? 0 : 1))
        if let witnesses {
            writer.write(witnesses.node.number)
            writer.write(witnesses.key.first)
            writer.write(witnesses.key.second)
            writer.write(list: witnesses.peers) { writer, peer in
                writer.write(peer.ip)
                writer.write(peer.port)
            }
        }
        return writer.bytes
    }

    package init(decoding bytes: [UInt8]) throws(DecodingFault) {
        var reader = BinaryReader(bytes)
        sequence = try reader.read()
        isShuttingDown = try reader.read(UInt8.self) == 1
        onHold = try reader.readHold()
        let lease = Lease(
            term: Term(try reader.read()), validUntil: Instant(nanoseconds: try reader.read()),
            claimableFrom: Instant(nanoseconds: try reader.read()))
        self.lease = lease.term == .zero ? nil : lease
        share = try reader.readShare()
        heldBack = try reader.readAddresses("addresses on hold")
        if try reader.read(UInt8.self) == 1 { addresses = try reader.readAddresses("addresses") }
        if try reader.read(UInt8.self) == 1 {
            let node = NodeID(try reader.read())
            let key = NoticeKey(first: try reader.read(), second: try reader.read())
            let peers = try reader.readList("witnesses", limit: Limit.witnesses) { reader throws(DecodingFault) in
                SocketAddress(ip: try reader.readAddress(), port: try reader.read())
            }
            witnesses = Witnesses(node: node, key: key, peers: peers)
        }
        try reader.finish()
    }
}

/// The other nodes, as a guard tells them of a release.
package struct Witnesses: Hashable, Sendable {
    /// Who tells.
    package var node: NodeID
    package var key: NoticeKey
    package var peers: [SocketAddress]

    package init(node: NodeID, key: NoticeKey, peers: [SocketAddress]) {
        self.node = node
        self.key = key
        self.peers = peers
    }
}

/// What the guard says at its start, after each order, and whenever something changes.
package enum GuardReport: Hashable, Sendable {
    /// Comes first: what the guard speaks, as `GuardOrder.version` counts, and of which version its program is.
    case introduction(speaks: UInt8, version: String)
    case state(State)
    /// The guard can do nothing on this machine, and ends.
    case refused(what: String, cure: String)

    package struct State: Hashable, Sendable {
        /// Of the last order that was carried out.
        package var sequence: UInt64
        package var fence: Fence
        package var held: [IPAddress]
        /// When the lease ends by which they are held, as far as the guard has been told.
        package var holdsUntil: Instant
        /// Given up, and not off the machine yet.
        package var stuck: [IPAddress]
        package var onHold: ArrivalHold
        /// Set when the gateway should give up leadership.
        package var resignation: VirtualIPClaim.Reason?

        package init(
            sequence: UInt64, fence: Fence, held: [IPAddress], holdsUntil: Instant, stuck: [IPAddress] = [],
            onHold: ArrivalHold = .nothing, resignation: VirtualIPClaim.Reason? = nil
        ) {
            self.sequence = sequence
            self.fence = fence
            self.held = held
            self.holdsUntil = holdsUntil
            self.stuck = stuck
            self.onHold = onHold
            self.resignation = resignation
        }

        package var isClear: Bool { held.isEmpty && stuck.isEmpty }
    }

    private static let textLimit = 1000

    /// The introduction stays the same whatever else changes, so that it can always be read.
    package func encoded() -> [UInt8] {
        var writer = BinaryWriter()
        switch self {
        case .introduction(let speaks, let version):
            writer.write(UInt8(3))
            writer.write(speaks)
            writer.write(version)
        case .state(let state):
            writer.write(UInt8(1))
            writer.write(state.sequence)
            writer.write(state.fence.rawValue)
            writer.write(list: state.held) { $0.write($1) }
            writer.write(state.holdsUntil.nanoseconds)
            writer.write(list: state.stuck) { $0.write($1) }
            writer.write(state.onHold.rawValue)
            writer.write(state.resignation?.rawValue ?? 0)
        case .refused(let what, let cure):
            writer.write(UInt8(2))
            writer.write(String(decoding: what.utf8.prefix(Self.textLimit), as: UTF8.self))
            writer.write(String(decoding: cure.utf8.prefix(Self.textLimit), as: UTF8.self))
        }
        return writer.bytes
    }

    package init(decoding bytes: [UInt8]) throws(DecodingFault) {
        var reader = BinaryReader(bytes)
        let kind = try reader.read(UInt8.self)
        switch kind {
        case 1:
            let sequence = try reader.read(UInt64.self)
            guard let fence = Fence(rawValue: try reader.read()) else {
                throw .invalid(what: "fence", offset: reader.offset)
            }
            let held = try reader.readAddresses("held")
            let holdsUntil = Instant(nanoseconds: try reader.read())
            let stuck = try reader.readAddresses("stuck")
            let onHold = try reader.readHold()
            let resignation = VirtualIPClaim.Reason(rawValue: try reader.read())
            self = .state(
                State(
                    sequence: sequence, fence: fence, held: held, holdsUntil: holdsUntil, stuck: stuck,
                    onHold: onHold, resignation: resignation))
        case 2:
            // A replacement character is longer than the byte that it stands for.
            let limit = Self.textLimit * 3
            self = .refused(
                what: try reader.readText("what", limit: limit), cure: try reader.readText("cure", limit: limit))
        case 3:
            self = .introduction(
                speaks: try reader.read(),
                version: try reader.readText("version", limit: NodeReport.Limit.versionBytes))
        default:
            throw .unknownVersion(kind)
        }
        try reader.finish()
    }
}

extension BinaryWriter {
    fileprivate mutating func write(_ share: AddressShare) {
        switch share {
        case .all: write(UInt8(0))
        case .own(let addresses):
            write(UInt8(1))
            write(list: addresses) { $0.write($1) }
        case .borrowed(let addresses, let boot):
            write(UInt8(2))
            write(list: addresses) { $0.write($1) }
            write(boot)
        }
    }

    fileprivate mutating func write(_ address: IPAddress) {
        write(address.high)
        write(address.low)
    }
}

extension BinaryReader {
    fileprivate mutating func readHold() throws(DecodingFault) -> ArrivalHold {
        guard let hold = ArrivalHold(rawValue: try read()) else { throw .invalid(what: "hold", offset: offset - 1) }
        return hold
    }

    fileprivate mutating func readShare() throws(DecodingFault) -> AddressShare {
        switch try read(UInt8.self) {
        case 0: return .all
        case 1: return .own(try readAddresses("own addresses"))
        case 2: return .borrowed(try readAddresses("borrowed addresses"), boot: try read())
        default: throw .invalid(what: "share", offset: offset - 1)
        }
    }

    /// What is held may be on its way out while as many others are configured.
    mutating func readAddresses(_ what: String) throws(DecodingFault) -> [IPAddress] {
        try readList(what, limit: 2 * GatewayConfiguration.Limit.virtualAddresses) {
            reader throws(DecodingFault) in try reader.readAddress()
        }
    }

    fileprivate mutating func readAddress() throws(DecodingFault) -> IPAddress {
        IPAddress(high: try read(), low: try read())
    }
}
