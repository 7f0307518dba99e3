import CLinux
import Posix

/// The nf_tables messages (linux/netfilter/nf_tables.h) that the kernel gate takes, each a transaction that the kernel
/// carries out as a whole or not at all.
///
/// All names live in one table.
package struct NftablesBatch {
    package enum Family: Sendable {
        /// Its chain sees what arrives on one interface before anything else of the machine does.
        case netdev
        /// Its chain sees what the machine itself sends.
        case inet

        fileprivate var number: UInt8 {
            switch self {
            case .netdev: UInt8(NFPROTO_NETDEV)
            case .inet: UInt8(NFPROTO_INET)
            }
        }

        fileprivate var chain: String {
            switch self {
            case .netdev: "ingress"
            case .inet: "output"
            }
        }
    }

    /// A set of addresses of one IP version.
    package enum AddressSet: String, Sendable {
        /// The virtual addresses, held or not.
        case virtual4, virtual6
        /// Those that this machine may answer on, each until its timeout.
        case alive4, alive6
        /// Those to which no new connection is let in, each until its timeout.
        case held4, held6
        /// Those from which no reset is sent, each until its timeout.
        case muted4, muted6

        package static let ofGate: [AddressSet] = [.virtual4, .virtual6, .alive4, .alive6, .held4, .held6]
        package static let ofMute: [AddressSet] = [.muted4, .muted6]

        package static func virtual(_ address: IPAddress) -> AddressSet { address.isIPv4 ? .virtual4 : .virtual6 }
        package static func alive(_ address: IPAddress) -> AddressSet { address.isIPv4 ? .alive4 : .alive6 }
        package static func held(_ address: IPAddress) -> AddressSet { address.isIPv4 ? .held4 : .held6 }
        package static func muted(_ address: IPAddress) -> AddressSet { address.isIPv4 ? .muted4 : .muted6 }

        fileprivate var keyBytes: UInt32 {
            switch self {
            case .virtual4, .alive4, .held4, .muted4: 4
            case .virtual6, .alive6, .held6, .muted6: 16
            }
        }

        fileprivate var hasTimeout: Bool {
            switch self {
            case .virtual4, .virtual6: false
            case .alive4, .alive6, .held4, .held6, .muted4, .muted6: true
            }
        }

        /// `nft` shows elements by it: its own numbers for ipv4_addr and ipv6_addr.
        fileprivate var displayType: UInt32 {
            switch self {
            case .virtual4, .alive4, .held4, .muted4: 7
            case .virtual6, .alive6, .held6, .muted6: 8
            }
        }
    }

    /// Before any filter of the operator.
    private static let priority: Int32 = -500

    private let table: String
    private let family: Family
    private var sequence: UInt32
    private var messages: [[UInt8]] = []
    /// The sequence number of the first message after the batch's begin.
    package let firstSequence: UInt32

    package init(table: String, _ family: Family, sequence: UInt32) {
        self.table = table
        self.family = family
        firstSequence = sequence &+ 1
        self.sequence = sequence
        appendMarker(NFNL_MSG_BATCH_BEGIN)
    }

    /// How many acknowledgements the kernel sends.
    package var messageCount: Int { messages.count - 1 }

    /// The whole batch, for one `send`.
    package consuming func finished() -> [UInt8] {
        appendMarker(NFNL_MSG_BATCH_END)
        return messages.flatMap(\.self)
    }

    /// Refused with EEXIST when it is there already.
    package mutating func addTable() {
        append(NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL, [.string(NFTA_TABLE_NAME, table)])
    }

    /// Adds it if it is not there.
    package mutating func keepTable() { append(NFT_MSG_NEWTABLE, NLM_F_CREATE, [.string(NFTA_TABLE_NAME, table)]) }

    package mutating func deleteTable() { append(NFT_MSG_DELTABLE, 0, [.string(NFTA_TABLE_NAME, table)]) }

    package mutating func addIngressChain(on interface: String) {
        addChain(UInt32(NF_NETDEV_INGRESS.rawValue), [.string(NFTA_HOOK_DEV, interface)])
    }

    package mutating func addOutputChain() { addChain(UInt32(NF_INET_LOCAL_OUT.rawValue), []) }

    private mutating func addChain(_ number: UInt32, _ place: [NftablesAttribute]) {
        let hook: [NftablesAttribute] =
            [
                .number(NFTA_HOOK_HOOKNUM, number),
                .number(NFTA_HOOK_PRIORITY, UInt32(bitPattern: Self.priority)),
            ] + place
        append(
            NFT_MSG_NEWCHAIN, NLM_F_CREATE,
            [
                .string(NFTA_CHAIN_TABLE, table), .string(NFTA_CHAIN_NAME, family.chain),
                .nested(NFTA_CHAIN_HOOK, hook),
                .number(NFTA_CHAIN_POLICY, UInt32(NF_ACCEPT)), .string(NFTA_CHAIN_TYPE, "filter"),
            ])
    }

    package mutating func clearRules() {
        append(NFT_MSG_DELRULE, 0, [.string(NFTA_RULE_TABLE, table), .string(NFTA_RULE_CHAIN, family.chain)])
    }

    package mutating func add(_ set: AddressSet) {
        var attributes: [NftablesAttribute] = [
            .string(NFTA_SET_TABLE, table), .string(NFTA_SET_NAME, set.rawValue),
            .number(NFTA_SET_KEY_TYPE, set.displayType), .number(NFTA_SET_KEY_LEN, set.keyBytes),
            .number(NFTA_SET_ID, sequence),
        ]
        if set.hasTimeout { attributes.append(.number(NFTA_SET_FLAGS, NFT_SET_TIMEOUT.rawValue)) }
        append(NFT_MSG_NEWSET, NLM_F_CREATE, attributes)
    }

    package mutating func add(_ address: IPAddress, to set: AddressSet, timeoutMilliseconds: UInt64? = nil) {
        var element: [NftablesAttribute] = [.value(NFTA_SET_ELEM_KEY, address.networkBytes)]
        if let timeoutMilliseconds {
            let bytes = withUnsafeBytes(of: timeoutMilliseconds.bigEndian) { Array($0) }
            element.append(NftablesAttribute(NFTA_SET_ELEM_TIMEOUT, bytes))
        }
        append(NFT_MSG_NEWSETELEM, NLM_F_CREATE, elements(element, of: set))
    }

    package mutating func delete(_ address: IPAddress, from set: AddressSet) {
        append(NFT_MSG_DELSETELEM, 0, elements([.value(NFTA_SET_ELEM_KEY, address.networkBytes)], of: set))
    }

    /// Removes all elements.
    package mutating func clear(_ set: AddressSet) {
        append(
            NFT_MSG_DELSETELEM, 0,
            [.string(NFTA_SET_ELEM_LIST_TABLE, table), .string(NFTA_SET_ELEM_LIST_SET, set.rawValue)])
    }

    /// Drops packets to a virtual address that is not alive: IP, and the questions of ARP and neighbour discovery.
    package mutating func addGateRules() {
        let arpTarget: (offset: UInt32, length: UInt32) = (24, 4)
        let ipv4Destination: (offset: UInt32, length: UInt32) = (16, 4)
        let ipv6Destination: (offset: UInt32, length: UInt32) = (24, 16)
        addRule(protocolNumber: UInt16(ETH_P_ARP), field: arpTarget, .virtual4, .alive4)
        addRule(protocolNumber: UInt16(ETH_P_IP), field: ipv4Destination, .virtual4, .alive4)
        addRule(protocolNumber: UInt16(ETH_P_IPV6), field: ipv6Destination, .virtual6, .alive6)
        // A neighbour solicitation (RFC 4861, section 4.3) goes to a group; the address is in its body.
        let icmpv6: [NftablesAttribute] = .payload(offset: 6, length: 1) + .compare([58])
        let solicitation: [NftablesAttribute] = .payload(offset: 40, length: 1) + .compare([135])
        addRule(
            protocolNumber: UInt16(ETH_P_IPV6), with: icmpv6 + solicitation, field: (48, 16), .virtual6, .alive6)
        addHoldRule(protocolNumber: UInt16(ETH_P_IP), transportAt: 9, field: ipv4Destination, .held4)
        addHoldRule(protocolNumber: UInt16(ETH_P_IPV6), transportAt: 6, field: ipv6Destination, .held6)
    }

    private mutating func addRule(
        protocolNumber: UInt16, with conditions: [NftablesAttribute] = [], field: (offset: UInt32, length: UInt32),
        _ all: AddressSet, _ alive: AddressSet
    ) {
        let address: [NftablesAttribute] = .payload(offset: field.offset, length: field.length)
        let isForeign: [NftablesAttribute] = .lookup(all.rawValue) + .lookup(alive.rawValue, inverted: true)
        addRule(protocolNumber: protocolNumber, conditions + address + isForeign + .drop)
    }

    /// Drops TCP segments with SYN and without ACK.
    private mutating func addHoldRule(
        protocolNumber: UInt16, transportAt place: UInt32, field: (offset: UInt32, length: UInt32),
        _ held: AddressSet
    ) {
        addSegmentRule(
            protocolNumber: protocolNumber, transportAt: place, field: field, held, flags: 0x02, among: 0x12)
    }

    /// Drops resets from muted addresses.
    package mutating func addMuteRules() {
        let reset: UInt8 = 0x04
        addSegmentRule(
            protocolNumber: UInt16(ETH_P_IP), transportAt: 9, field: (12, 4), .muted4, flags: reset, among: reset)
        addSegmentRule(
            protocolNumber: UInt16(ETH_P_IPV6), transportAt: 6, field: (8, 16), .muted6, flags: reset, among: reset)
    }

    /// Drops TCP segments with these of some flags, whose address in `field` is in the set.
    private mutating func addSegmentRule(
        protocolNumber: UInt16, transportAt place: UInt32, field: (offset: UInt32, length: UInt32), _ set: AddressSet,
        flags: UInt8, among mask: UInt8
    ) {
        let tcp: [NftablesAttribute] = .payload(offset: place, length: 1) + .compare([UInt8(IPPROTO_TCP)])
        let address: [NftablesAttribute] = .payload(offset: field.offset, length: field.length) + .lookup(set.rawValue)
        let hasFlags: [NftablesAttribute] =
            .payload(NFT_PAYLOAD_TRANSPORT_HEADER, offset: 13, length: 1) + .mask([mask]) + .compare([flags])
        addRule(protocolNumber: protocolNumber, tcp + address + hasFlags + .drop)
    }

    private mutating func addRule(protocolNumber: UInt16, _ conditions: [NftablesAttribute]) {
        let isProtocol =
            [NftablesAttribute].metaProtocol + .compare(withUnsafeBytes(of: protocolNumber.bigEndian) { Array($0) })
        let expressions = isProtocol + conditions
        append(
            NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND,
            [
                .string(NFTA_RULE_TABLE, table), .string(NFTA_RULE_CHAIN, family.chain),
                .nested(NFTA_RULE_EXPRESSIONS, expressions),
            ])
    }

    private func elements(_ element: [NftablesAttribute], of set: AddressSet) -> [NftablesAttribute] {
        [
            .string(NFTA_SET_ELEM_LIST_TABLE, table), .string(NFTA_SET_ELEM_LIST_SET, set.rawValue),
            .nested(NFTA_SET_ELEM_LIST_ELEMENTS, [.nested(NFTA_LIST_ELEM, element)]),
        ]
    }

    private mutating func append(_ type: nf_tables_msg_types, _ flags: Int32, _ attributes: [NftablesAttribute]) {
        sequence &+= 1
        let number = NFNL_SUBSYS_NFTABLES << 8 | Int32(type.rawValue)
        var message = NetlinkMessageBuilder(type: number, flags: NLM_F_REQUEST | NLM_F_ACK | flags, sequence)
        message.append(nfgenmsg(nfgen_family: family.number, version: UInt8(NFNETLINK_V0), res_id: 0))
        for attribute in attributes { message.appendAttribute(attribute.type, attribute.bytes) }
        messages.append(message.finished())
    }

    private mutating func appendMarker(_ type: Int32) {
        var message = NetlinkMessageBuilder(type: type, flags: NLM_F_REQUEST, sequence)
        let subsystem = UInt16(NFNL_SUBSYS_NFTABLES).bigEndian
        message.append(nfgenmsg(nfgen_family: UInt8(AF_UNSPEC), version: UInt8(NFNETLINK_V0), res_id: subsystem))
        messages.append(message.finished())
    }
}
