import CLinux
import Posix

/// One attribute; numbers in it are big-endian, as nf_tables wants them.
struct NftablesAttribute {
    let type: UInt16
    let bytes: [UInt8]

    init(_ type: some RawRepresentable<UInt32>, _ bytes: [UInt8]) {
        self.type = UInt16(type.rawValue)
        self.bytes = bytes
    }

    private init(nested type: some RawRepresentable<UInt32>, _ bytes: [UInt8]) {
        self.type = UInt16(type.rawValue) | UInt16(NLA_F_NESTED)
        self.bytes = bytes
    }

    static func string(_ type: some RawRepresentable<UInt32>, _ text: String) -> NftablesAttribute {
        NftablesAttribute(type, Array(text.utf8) + [0])
    }

    static func number(_ type: some RawRepresentable<UInt32>, _ number: UInt32) -> NftablesAttribute {
        NftablesAttribute(type, withUnsafeBytes(of: number.bigEndian) { Array($0) })
    }

    static func nested(_ type: some RawRepresentable<UInt32>, _ attributes: [NftablesAttribute]) -> NftablesAttribute {
        NftablesAttribute(nested: type, attributes.flatMap(\.encoded))
    }

    static func value(_ type: some RawRepresentable<UInt32>, _ bytes: [UInt8]) -> NftablesAttribute {
        .nested(type, [NftablesAttribute(NFTA_DATA_VALUE, bytes)])
    }

    private var encoded: [UInt8] {
        let length = MemoryLayout<rtattr>.size + bytes.count
        let header = withUnsafeBytes(of: rtattr(rta_len: UInt16(length), rta_type: type)) { Array($0) }
        return header + bytes + Array(repeating: 0, count: netlinkAligned(length) - length)
    }
}

/// Expressions of a rule. Each loads register 1, or looks at it, or decides.
extension [NftablesAttribute] {
    static var metaProtocol: [NftablesAttribute] {
        expression(
            "meta",
            [.number(NFTA_META_DREG, NFT_REG_1.rawValue), .number(NFTA_META_KEY, NFT_META_PROTOCOL.rawValue)])
    }

    /// Bytes from the beginning of a header.
    static func payload(
        _ header: nft_payload_bases = NFT_PAYLOAD_NETWORK_HEADER, offset: UInt32, length: UInt32
    ) -> [NftablesAttribute] {
        expression(
            "payload",
            [
                .number(NFTA_PAYLOAD_DREG, NFT_REG_1.rawValue),
                .number(NFTA_PAYLOAD_BASE, header.rawValue),
                .number(NFTA_PAYLOAD_OFFSET, offset), .number(NFTA_PAYLOAD_LEN, length),
            ])
    }

    static func compare(_ bytes: [UInt8]) -> [NftablesAttribute] {
        expression(
            "cmp",
            [
                .number(NFTA_CMP_SREG, NFT_REG_1.rawValue), .number(NFTA_CMP_OP, NFT_CMP_EQ.rawValue),
                .value(NFTA_CMP_DATA, bytes),
            ])
    }

    static func mask(_ bytes: [UInt8]) -> [NftablesAttribute] {
        expression(
            "bitwise",
            [
                .number(NFTA_BITWISE_SREG, NFT_REG_1.rawValue), .number(NFTA_BITWISE_DREG, NFT_REG_1.rawValue),
                .number(NFTA_BITWISE_LEN, UInt32(bytes.count)), .value(NFTA_BITWISE_MASK, bytes),
                .value(NFTA_BITWISE_XOR, bytes.map { _ in 0 }),
            ])
    }

    static func lookup(_ set: String, inverted: Bool = false) -> [NftablesAttribute] {
        expression(
            "lookup",
            [
                .string(NFTA_LOOKUP_SET, set), .number(NFTA_LOOKUP_SREG, NFT_REG_1.rawValue),
                .number(NFTA_LOOKUP_FLAGS, inverted ? NFT_LOOKUP_F_INV.rawValue : 0),
            ])
    }

    static var drop: [NftablesAttribute] {
        let verdict = NftablesAttribute.nested(NFTA_DATA_VERDICT, [.number(NFTA_VERDICT_CODE, UInt32(NF_DROP))])
        return expression(
            "immediate",
            [
                .number(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT.rawValue), .nested(NFTA_IMMEDIATE_DATA, [verdict]),
            ])
    }

    private static func expression(_ name: String, _ attributes: [NftablesAttribute]) -> [NftablesAttribute] {
        [.nested(NFTA_LIST_ELEM, [.string(NFTA_EXPR_NAME, name), .nested(NFTA_EXPR_DATA, attributes)])]
    }
}
