import CLinux
import Posix

/// What a relay's packet socket is to hear, as a program of classic BPF (linux/filter.h): ARP, neighbour advertisements,
/// and the TCP segments of `HeldArrivals.Scope` for some addresses, so that other traffic of a busy machine never reaches
/// the socket. Of an IPv6 address it looks at the last word only.
struct ArrivalFilter {
    private enum Label: Hashable {
        case four, fourFlags, six, sixSegment, sixFlags, accept, drop
    }

    private enum Step {
        case load(Int32, UInt32)
        /// Goes to `yes` if it is true of what was loaded; nil is the next step.
        case test(Int32, UInt32, yes: Label?, no: Label?)
        case mask(UInt32)
        case answer(UInt32)
        case label(Label)
    }

    private static let tcp: UInt32 = 6
    private static let icmpv6: UInt32 = 58
    private static let neighbourAdvertisement: UInt32 = 136
    private static let synAndAcknowledgement: UInt32 = 0x12
    private static let syn: UInt32 = 0x02

    /// - Parameter addresses: At most `GatewayConfiguration.Limit.virtualAddresses`, as the distance of a jump is limited.
    static func program(_ scope: HeldArrivals.Scope, for addresses: Set<IPAddress>) -> [sock_filter] {
        let protocolField = UInt32(bitPattern: SKF_AD_OFF + SKF_AD_PROTOCOL)
        let head: [Step] = [
            .load(BPF_H | BPF_ABS, protocolField),
            .test(BPF_JEQ, UInt32(ETH_P_ARP), yes: .accept, no: nil),
            .test(BPF_JEQ, UInt32(ETH_P_IP), yes: .four, no: nil),
            .test(BPF_JEQ, UInt32(ETH_P_IPV6), yes: .six, no: .drop),
        ]
        let tail: [Step] = [.label(.accept), .answer(0xffff), .label(.drop), .answer(0)]
        return assemble(head + four(scope, addresses) + six(scope, addresses) + tail)
    }

    private static func four(_ scope: HeldArrivals.Scope, _ addresses: Set<IPAddress>) -> [Step] {
        let words = addresses.filter(\.isIPv4).map(\.v4)
        return [
            .label(.four), .load(BPF_B | BPF_ABS, 9), .test(BPF_JEQ, tcp, yes: nil, no: .drop),
            // No fragment of a packet.
            .load(BPF_H | BPF_ABS, 6), .test(BPF_JSET, 0x3fff, yes: .drop, no: nil),
            .load(BPF_W | BPF_ABS, 16),
        ] + words.map { .test(BPF_JEQ, $0, yes: .fourFlags, no: nil) } + [
            .answer(0), .label(.fourFlags),
        ]
            + flags(
                scope,
                [
                    // The length of the IPv4 header goes into the index.
                    .load(BPF_LDX | BPF_B | BPF_MSH, 0), .load(BPF_B | BPF_IND, 13),
                ])
    }

    private static func six(_ scope: HeldArrivals.Scope, _ addresses: Set<IPAddress>) -> [Step] {
        let words = addresses.filter { !$0.isIPv4 }.map { UInt32(truncatingIfNeeded: $0.low) }
        return [
            .label(.six), .load(BPF_B | BPF_ABS, 6), .test(BPF_JEQ, tcp, yes: .sixSegment, no: nil),
            .test(BPF_JEQ, icmpv6, yes: nil, no: .drop),
            .load(BPF_B | BPF_ABS, 40), .test(BPF_JEQ, neighbourAdvertisement, yes: .accept, no: .drop),
            .label(.sixSegment), .load(BPF_W | BPF_ABS, 36),
        ] + words.map { .test(BPF_JEQ, $0, yes: .sixFlags, no: nil) } + [
            .answer(0), .label(.sixFlags),
        ] + flags(scope, [.load(BPF_B | BPF_ABS, 53)])
    }

    private static func flags(_ scope: HeldArrivals.Scope, _ loading: [Step]) -> [Step] {
        switch scope {
        case .everything: [.answer(0xffff)]
        case .newConnections:
            loading + [.mask(synAndAcknowledgement), .test(BPF_JEQ, syn, yes: .accept, no: .drop)]
        }
    }

    private static func assemble(_ steps: [Step]) -> [sock_filter] {
        var places: [Label: Int] = [:]
        var count = 0
        for step in steps {
            if case .label(let label) = step { places[label] = count } else { count += 1 }
        }
        var program: [sock_filter] = []
        func distance(to label: Label?) -> UInt8 {
            label.flatMap { places[$0] }.map { UInt8($0 - program.count - 1) } ?? 0
        }
        for step in steps {
            switch step {
            case .label: break
            case .load(let code, let value):
                // BPF_LD is zero, so that a load of the index names its class by itself.
                program.append(sock_filter(code: UInt16(BPF_LD | code), jt: 0, jf: 0, k: value))
            case .mask(let value):
                program.append(sock_filter(code: UInt16(BPF_ALU | BPF_AND | BPF_K), jt: 0, jf: 0, k: value))
            case .answer(let value):
                program.append(sock_filter(code: UInt16(BPF_RET | BPF_K), jt: 0, jf: 0, k: value))
            case .test(let code, let value, let yes, let no):
                program.append(
                    sock_filter(
                        code: UInt16(BPF_JMP | code | BPF_K), jt: distance(to: yes), jf: distance(to: no), k: value))
            }
        }
        return program
    }
}
