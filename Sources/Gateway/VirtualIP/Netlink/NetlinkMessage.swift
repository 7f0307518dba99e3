import CLinux
import Posix

/// The few rtnetlink(7) messages that holding an address takes, in the kernel's own byte order and layout.
package enum NetlinkRequest {
    /// RTM_NEWADDR of `address` alone (/32 or /128). IPv6 goes without duplicate address detection, which would
    /// keep it unusable for over a second, and deprecated, so that it never becomes a source address.
    ///
    /// The kernel removes it `lifetimeSeconds` later: what a machine on which nothing runs any more forgets by itself.
    package static func add(
        _ address: IPAddress, interface: UInt32, lifetimeSeconds: UInt32, sequence: UInt32
    ) -> [UInt8] {
        let flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE
        var message = addressMessage(Int32(RTM_NEWADDR), flags, address, interface, sequence)
        let preferred = address.isIPv4 ? lifetimeSeconds : 0
        let lifetimes = ifa_cacheinfo(ifa_prefered: preferred, ifa_valid: lifetimeSeconds, cstamp: 0, tstamp: 0)
        message.appendAttribute(UInt16(IFA_CACHEINFO), withUnsafeBytes(of: lifetimes) { Array($0) })
        return message.finished()
    }

    package static func delete(_ address: IPAddress, interface: UInt32, sequence: UInt32) -> [UInt8] {
        addressMessage(Int32(RTM_DELADDR), NLM_F_REQUEST | NLM_F_ACK, address, interface, sequence).finished()
    }

    /// Asks for all addresses of the machine; the kernel answers with RTM_NEWADDR messages and NLMSG_DONE.
    package static func listAddresses(sequence: UInt32) -> [UInt8] {
        var message = NetlinkMessageBuilder(type: Int32(RTM_GETADDR), flags: NLM_F_REQUEST | NLM_F_DUMP, sequence)
        message.append(ifaddrmsg())
        return message.finished()
    }

    /// Asks for one interface; the kernel answers with RTM_NEWLINK.
    package static func link(interface: UInt32, sequence: UInt32) -> [UInt8] {
        var message = NetlinkMessageBuilder(type: Int32(RTM_GETLINK), flags: NLM_F_REQUEST, sequence)
        var body = ifinfomsg()
        body.ifi_index = Int32(interface)
        message.append(body)
        return message.finished()
    }

    private static func addressMessage(
        _ type: Int32, _ flags: Int32, _ address: IPAddress, _ interface: UInt32, _ sequence: UInt32
    ) -> NetlinkMessageBuilder {
        var message = NetlinkMessageBuilder(type: type, flags: flags, sequence)
        message.append(
            ifaddrmsg(
                ifa_family: UInt8(address.isIPv4 ? AF_INET : AF_INET6), ifa_prefixlen: address.isIPv4 ? 32 : 128,
                ifa_flags: address.isIPv4 ? 0 : UInt8(IFA_F_NODAD), ifa_scope: 0, ifa_index: interface))
        message.appendAttribute(UInt16(IFA_LOCAL), address.networkBytes)
        message.appendAttribute(UInt16(IFA_ADDRESS), address.networkBytes)
        return message
    }
}

/// What the kernel says, as far as it matters here.
package enum NetlinkEvent: Hashable, Sendable {
    /// The outcome of a request: 0, or an errno.
    case acknowledgement(sequence: UInt32, code: Int32)
    case endOfList(sequence: UInt32)
    case address(IPAddress, prefixLength: UInt8, interface: UInt32)
    case addressRemoved(IPAddress, interface: UInt32)
    case link(interface: UInt32, isUp: Bool)
    case other

    /// Reads all messages of one datagram; what is cut short or makes no sense ends the reading.
    package static func parse(_ bytes: UnsafeRawBufferPointer) -> [NetlinkEvent] {
        var events: [NetlinkEvent] = []
        var rest = bytes[...]
        while let header = rest.read(nlmsghdr.self), let length = Int(exactly: header.nlmsg_len),
            length >= MemoryLayout<nlmsghdr>.size, length <= rest.count
        {
            let body = rest.prefix(length).dropFirst(MemoryLayout<nlmsghdr>.size)
            events.append(parse(header, body))
            rest = rest.dropFirst(netlinkAligned(length))
        }
        return events
    }

    private static func parse(_ header: nlmsghdr, _ body: Slice<UnsafeRawBufferPointer>) -> NetlinkEvent {
        switch Int32(header.nlmsg_type) {
        case NLMSG_ERROR:
            guard let code = body.read(Int32.self), code <= 0, code > Int32.min else { return .other }
            return .acknowledgement(sequence: header.nlmsg_seq, code: -code)
        case NLMSG_DONE:
            return .endOfList(sequence: header.nlmsg_seq)
        case Int32(RTM_NEWADDR):
            guard let (address, message) = parseAddress(body) else { return .other }
            return .address(address, prefixLength: message.ifa_prefixlen, interface: message.ifa_index)
        case Int32(RTM_DELADDR):
            guard let (address, message) = parseAddress(body) else { return .other }
            return .addressRemoved(address, interface: message.ifa_index)
        case Int32(RTM_NEWLINK):
            guard let message = body.read(ifinfomsg.self) else { return .other }
            let lowerUp: UInt32 = 1 << 16
            let isUp = message.ifi_flags & UInt32(IFF_UP) != 0 && message.ifi_flags & lowerUp != 0
            return .link(interface: UInt32(bitPattern: message.ifi_index), isUp: isUp)
        case Int32(RTM_DELLINK):
            guard let message = body.read(ifinfomsg.self) else { return .other }
            return .link(interface: UInt32(bitPattern: message.ifi_index), isUp: false)
        default:
            return .other
        }
    }

    /// IFA_LOCAL when there is one: on point-to-point links IFA_ADDRESS is the peer's address.
    private static func parseAddress(_ body: Slice<UnsafeRawBufferPointer>) -> (IPAddress, ifaddrmsg)? {
        guard let message = body.read(ifaddrmsg.self) else { return nil }
        var found: IPAddress?
        var rest = body.dropFirst(MemoryLayout<ifaddrmsg>.size)
        while let attribute = rest.read(rtattr.self), Int(attribute.rta_len) >= MemoryLayout<rtattr>.size,
            Int(attribute.rta_len) <= rest.count
        {
            let value = rest.prefix(Int(attribute.rta_len)).dropFirst(MemoryLayout<rtattr>.size)
            if attribute.rta_type == IFA_LOCAL || (attribute.rta_type == IFA_ADDRESS && found == nil) {
                found = IPAddress(networkBytes: value) ?? found
            }
            rest = rest.dropFirst(netlinkAligned(Int(attribute.rta_len)))
        }
        return found.map { ($0, message) }
    }
}

extension Slice<UnsafeRawBufferPointer> {
    func read<Value: BitwiseCopyable>(_ type: Value.Type) -> Value? {
        guard count >= MemoryLayout<Value>.size else { return nil }
        return UnsafeRawBufferPointer(rebasing: self).loadUnaligned(as: type)
    }
}

extension IPAddress {
    /// 4 bytes for IPv4, 16 for IPv6, in network order.
    package var networkBytes: [UInt8] {
        isIPv4
            ? withUnsafeBytes(of: v4.bigEndian) { Array($0) }
            : withUnsafeBytes(of: high.bigEndian) { Array($0) } + withUnsafeBytes(of: low.bigEndian) { Array($0) }
    }

    /// Nil unless there are exactly 4 or 16 bytes.
    package init?(networkBytes bytes: some Collection<UInt8>) {
        func number<Number: FixedWidthInteger>(_ part: some Collection<UInt8>) -> Number {
            part.reduce(0) { $0 << 8 | Number($1) }
        }
        switch bytes.count {
        case 4: self.init(v4: number(bytes))
        case 16: self.init(high: number(bytes.prefix(8)), low: number(bytes.dropFirst(8)))
        default: return nil
        }
    }
}
