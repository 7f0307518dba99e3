import Posix

extension Schema where Value == ClientPolicy {
    /// The `clients` object of a gateway file.
    static let clientPolicy = object(
        .optional("limits", .clientLimits, default: .standard, "How much one client may ask for."),
        .optional("timeouts", .clientTimeouts, default: .standard, "How long a client may take."),
        .optional(
            "trustedProxies", .array(of: .proxyNetwork, count: 0...ClientPolicy.maximumTrustedProxies), default: [],
            "Proxies in front of the gateway. What they say about their clients is believed, and passed on."),
        .optional(
            "forwardedField", .choice, default: ForwardedField.xForwardedFor,
            "The field in which trusted proxies name their clients. The other one is dropped: a client could set it."),
        make: ClientPolicy.init)
}

extension Schema where Value == ClientLimits {
    fileprivate static let clientLimits = object(
        .optional(
            "headBytes", .integer(1024...HeadLimits.maximumBytes), default: HeadLimits.standard.bytes,
            "The longest request head; 431 beyond it."),
        .optional(
            "requestLineBytes", .integer(256...HeadLimits.maximumBytes), default: HeadLimits.standard.requestLineBytes,
            "The longest request line, and so the longest target; 414 beyond it. RFC 9112 asks for at least 8000."),
        .optional(
            "fields", .integer(16...HeadLimits.maximumFields), default: HeadLimits.standard.fields,
            "The most field lines of a request head; 431 beyond it."),
        .optional(
            "bodyBytes", .integer(0...(1 << 50)), default: Int(ClientLimits.standard.bodyBytes),
            "The longest request body; 413 beyond it. Bodies are passed on as they come, not kept."),
        .optional(
            "connectionsPerAddress", .integer(1...1_000_000),
            "Connections that one client address, or one /64 of IPv6, may have open at a node. Left out: no limit."),
        make: { bytes, requestLineBytes, fields, bodyBytes, connectionsPerAddress in
            ClientLimits(
                head: HeadLimits(bytes: bytes, requestLineBytes: requestLineBytes, fields: fields),
                bodyBytes: UInt64(bodyBytes), connectionsPerAddress: connectionsPerAddress)
        }
    ).rule(
        at: "requestLineBytes", { $0.head.requestLineBytes <= $0.head.bytes },
        wrong: "longer than the whole head", right: "use at most headBytes")
}

extension Schema where Value == ClientTimeouts {
    fileprivate static let clientTimeouts = object(
        time("head", upTo: .seconds(600), default: Value.standard.requestHead, "From a head's first byte to its last."),
        time(
            "body", upTo: .seconds(3600), default: Value.standard.requestBody,
            "Over which a request body has to come at the minimum rate."),
        time("keepAlive", upTo: .seconds(86_400), default: Value.standard.keepAlive, "Without a further request."),
        time(
            "write", upTo: .seconds(3600), default: Value.standard.write,
            "Over which a client has to take a response at the minimum rate."),
        time("tunnel", upTo: .seconds(86_400), default: Value.standard.tunnel, "Without a byte through a tunnel."),
        .optional(
            "minimumBytesPerSecond", .integer(0...1_000_000), default: Int(Value.standard.minimumRate),
            "The slowest that a body may come or be taken. Only the time in which the client is waited for counts."),
        make: { head, body, keepAlive, write, tunnel, rate in
            ClientTimeouts(
                requestHead: head, requestBody: body, keepAlive: keepAlive, write: write, tunnel: tunnel,
                minimumRate: UInt64(rate))
        })

    private static func time(
        _ key: String, upTo longest: Nanoseconds, default standard: Nanoseconds, _ documentation: String
    ) -> Field<Nanoseconds> {
        .optional(key, .duration(from: .milliseconds(100), to: longest), default: standard, documentation)
    }
}

extension Schema where Value == IPNetwork {
    static var proxyNetwork: Schema { network.distinct() }

    /// A network in CIDR notation, or one address. Never all addresses: that would be to trust everybody.
    static var network: Schema {
        let noun = "a network such as \"10.0.0.0/8\" or \"2001:db8::/32\", or one address"
        return text(noun) { text throws(TextFault) in
            let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard let address = IPAddress(parts[0]) else {
                throw TextFault(wrong: "\(quoted(text)) is no network", right: "use \(noun)")
            }
            let longest = address.isIPv4 ? 32 : 128
            guard let length = parts.count == 1 ? longest : prefixLength(parts[1]), 1...longest ~= length else {
                throw TextFault(
                    wrong: "\(quoted(text)) has no prefix length from 1 to \(longest)", right: "use \(noun)")
            }
            if let network = IPNetwork(address, prefixLength: length) { return network }
            throw TextFault(
                wrong: "\(quoted(text)) has bits behind its prefix",
                right: "use \"\(address.masked(length))/\(length)\"")
        }
    }

    private static func prefixLength(_ text: String) -> Int? {
        text.utf8.count <= 3 && text.utf8.allSatisfy { 0x30...0x39 ~= $0 } ? Int(text) : nil
    }
}

extension IPAddress {
    /// The address without the bits behind a prefix.
    fileprivate func masked(_ length: Int) -> IPAddress {
        let bits = isIPv4 ? length + 96 : length
        return IPAddress(
            high: bits >= 64 ? high : high & ~(UInt64.max >> UInt64(bits)),
            low: bits <= 64 ? 0 : low & ~(UInt64.max >> UInt64(bits - 64)))
    }
}
