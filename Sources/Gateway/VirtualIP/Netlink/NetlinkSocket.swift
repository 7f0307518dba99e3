import CLinux
import Glibc
import Posix

/// A NETLINK_ROUTE socket.
package struct NetlinkSocket: ~Copyable {
    /// Multicast groups of changes to listen to.
    package struct Groups: OptionSet, Sendable {
        package let rawValue: UInt32
        package init(rawValue: UInt32) { self.rawValue = rawValue }
        package static let links = Groups(rawValue: UInt32(RTMGRP_LINK))
        package static let ipv4Addresses = Groups(rawValue: UInt32(RTMGRP_IPV4_IFADDR))
        package static let ipv6Addresses = Groups(rawValue: UInt32(RTMGRP_IPV6_IFADDR))
    }

    /// The kernel answers rtnetlink requests before `send` returns, so this is only met when an answer was lost.
    private static let answerTimeout = timeval(tv_sec: 0, tv_usec: 20_000)
    private static let receiveBufferBytes = 32 << 10

    private let descriptor: FileDescriptor
    private var sequence: UInt32 = 0

    package init(groups: Groups = []) throws(SystemError) {
        let raw = socket(AF_NETLINK, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue), NETLINK_ROUTE)
        guard raw >= 0 else { throw SystemError("open a netlink socket") }
        let descriptor = FileDescriptor(owning: raw)
        var address = sockaddr_nl()
        address.nl_family = sa_family_t(AF_NETLINK)
        address.nl_groups = groups.rawValue
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(raw, $0, socklen_t(MemoryLayout<sockaddr_nl>.size))
            }
        }
        guard bound == 0 else { throw SystemError("bind a netlink socket") }
        self.descriptor = descriptor
    }

    /// Takes over an open netlink socket.
    package init(owning raw: Int32) { descriptor = FileDescriptor(owning: raw) }

    /// Gives the socket up without closing it.
    package consuming func take() -> Int32 { descriptor.take() }

    package var raw: Int32 { descriptor.raw }

    /// Adds an address for `lifetimeSeconds`, or sets the lifetime of one that is there.
    package mutating func add(
        _ address: IPAddress, interface: UInt32, lifetimeSeconds: UInt32
    ) throws(SystemError) {
        let request = NetlinkRequest.add(
            address, interface: interface, lifetimeSeconds: lifetimeSeconds, sequence: nextSequence())
        try change("add address", address, request)
    }

    package mutating func delete(_ address: IPAddress, interface: UInt32) throws(SystemError) {
        let sequence = nextSequence()
        try change("remove address", address, NetlinkRequest.delete(address, interface: interface, sequence: sequence))
    }

    /// The addresses of one interface.
    package mutating func addresses(interface: UInt32) throws(SystemError) -> Set<IPAddress> {
        try send(NetlinkRequest.listAddresses(sequence: nextSequence()), "list addresses")
        var found: Set<IPAddress> = []
        while true {
            for event in try receive("list addresses") {
                switch event {
                case .address(let address, _, let index): if index == interface { found.insert(address) }
                case .endOfList(sequence): return found
                case .acknowledgement(sequence, let code): throw SystemError("list addresses", code: code)
                case .acknowledgement, .endOfList, .addressRemoved, .link, .other: break
                }
            }
        }
    }

    /// Whether the interface is up and has a carrier.
    package mutating func isUp(interface: UInt32) throws(SystemError) -> Bool {
        try send(NetlinkRequest.link(interface: interface, sequence: nextSequence()), "ask for the interface")
        while true {
            for event in try receive("ask for the interface") {
                switch event {
                case .link(interface, let isUp): return isUp
                case .acknowledgement(sequence, let code): throw SystemError("ask for the interface", code: code)
                case .acknowledgement, .endOfList, .address, .addressRemoved, .link, .other: break
                }
            }
        }
    }

    /// The next batch of messages; waits for one. A socket that listens to groups waits without end.
    package borrowing func receive(_ operation: String) throws(SystemError) -> [NetlinkEvent] {
        try withUnsafeTemporaryAllocation(byteCount: Self.receiveBufferBytes, alignment: 8) {
            buffer throws(SystemError) in
            let count = retryingOnInterrupt { recv(descriptor.raw, buffer.baseAddress!, buffer.count, 0) }
            guard count >= 0 else { throw SystemError(operation) }
            return NetlinkEvent.parse(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
    }

    private mutating func nextSequence() -> UInt32 {
        sequence &+= 1
        return sequence
    }

    private borrowing func change(
        _ operation: String, _ address: IPAddress, _ message: [UInt8]
    ) throws(SystemError) {
        try send(message, operation)
        while true {
            for event in try receive(operation) {
                guard case .acknowledgement(sequence, let code) = event else { continue }
                if code != 0 { throw SystemError(operation, address.description, code: code) }
                return
            }
        }
    }

    private borrowing func send(_ message: [UInt8], _ operation: String) throws(SystemError) {
        var timeout = Self.answerTimeout
        setsockopt(descriptor.raw, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        let sent = message.withUnsafeBytes { bytes in
            retryingOnInterrupt { Glibc.send(descriptor.raw, bytes.baseAddress!, bytes.count, 0) }
        }
        guard sent == message.count else { throw SystemError(operation) }
    }
}
