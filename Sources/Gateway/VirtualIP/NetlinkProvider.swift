import CLinux
import Glibc
import Posix

/// Virtual addresses on a real interface: rtnetlink for the address, gratuitous ARP or an unsolicited neighbour
/// advertisement for the neighbours, and the kernel gate where the kernel has one.
package final class NetlinkProvider: VirtualIPProvider {
    private let name: String
    private let interface: UInt32
    private let monitor: LinkMonitor
    /// For questions.
    private var netlink: NetlinkSocket
    private let addresses: HeldAddresses
    private let announcements: AnnouncementSocket
    private let relay: ArrivalRelay
    /// Nil where the kernel gives none.
    private var gate: KernelGate?
    /// How strong the fence is without a gate.
    private let ownFence: Fence
    private let claim: InterfaceClaim?
    private var configured: Set<IPAddress> = []
    private var claimed: Set<IPAddress> = []
    private var seenRemovals: UInt64
    private var lifetimesSetAt = Instant.zero

    private static let lifetimeRenewal = Nanoseconds.seconds(1)
    /// In which who was let in last has its answer, if the backend is quick.
    private static let lastExchange = Nanoseconds.milliseconds(2)

    /// Finds the interface, tries the privileges and warns about kernel settings that would delay a failover.
    /// `onChange` is called from another thread when the link changes or loses an address; a turn of the manager is
    /// due then. `ownFence` is what this process is by itself; `claim` is kept as long as this lives.
    package init(
        interface name: String, ownFence: Fence, claim: InterfaceClaim? = nil,
        onChange: @escaping @Sendable () -> Void
    ) throws(VirtualIPError) {
        let index = if_nametoindex(name)
        guard index != 0 else {
            throw VirtualIPError(
                "there is no interface \(name)", cure: "set virtualAddress.interface to one that `ip link` lists")
        }
        self.name = name
        self.ownFence = ownFence
        self.claim = claim
        interface = index
        do throws(SystemError) { gate = try KernelGate.closing(name) } catch {
            Log.warning("vip: no kernel gate on \(name), so a stopped process may answer for too long: \(error)")
            gate = nil
        }
        netlink = try Self.explaining(name) { () throws(SystemError) in try NetlinkSocket() }
        let privileged = try Self.explaining(name) { () throws(SystemError) in
            try Self.privilegedSocket(interface: index)
        }
        announcements = try Self.explaining(name) { () throws(SystemError) in
            try AnnouncementSocket(interface: index)
        }
        monitor = try Self.explaining(name) { () throws(SystemError) in
            try LinkMonitor(interface: index, onChange: onChange)
        }
        relay = try Self.explaining(name) { () throws(SystemError) in try ArrivalRelay(interface: index) }
        do throws(SystemError) { addresses = try HeldAddresses(interface: index, privileged) } catch {
            throw Self.explained(error, name)
        }
        seenRemovals = monitor.removals
        for warning in KernelSettings.warnings(interface: name) { Log.warning("vip: \(warning)") }
    }

    deinit {
        monitor.stop()
        relay.stop()
        addresses.stop()
        // An address that could not be removed stays behind its gate.
        guard let present = try? netlink.addresses(interface: interface), present.isDisjoint(with: configured) else {
            return
        }
        try? gate?.remove()
    }

    package var fence: Fence { gate == nil ? ownFence : .kernel }

    package var hasCarrier: Bool { monitor.hasCarrier }

    package func configure(addresses: [IPAddress], ports: [UInt16]) {
        configured = Set(addresses)
        let isClean = (try? netlink.addresses(interface: interface))?.isDisjoint(with: configured) == true
        do throws(SystemError) { try gate?.guardAddresses(configured, keepingOthers: !isClean) } catch {
            Log.error("vip: the kernel gate is given up: \(error)")
            gate = nil
        }
    }

    package func claim(_ address: IPAddress, until end: Instant) throws(VirtualIPError) {
        try Self.explaining(name) { () throws(SystemError) in
            // One that opens too late is opened by the extension.
            _ = try openGate([address], until: end)
            try addresses.add(address)
            claimed.insert(address)
        }
    }

    package func extend(_ held: [IPAddress], until end: Instant) throws(VirtualIPError) -> Bool {
        try Self.explaining(name) { () throws(SystemError) in
            let isOpen = try openGate(held, until: end)
            let now = Instant.now()
            guard now - lifetimesSetAt >= Self.lifetimeRenewal else { return isOpen }
            lifetimesSetAt = now
            try addresses.renew()
            return isOpen
        }
    }

    /// Whoever reloads the machine's own firewall may have removed the gate; it is then put up again.
    private func openGate(_ addresses: [IPAddress], until end: Instant) throws(SystemError) -> Bool {
        do throws(SystemError) { return try gate?.open(addresses, until: end) ?? true } catch {
            guard error.code == ENOENT else { throw error }
            Log.warning("vip: somebody removed the kernel gate of \(name); it is put up again")
            gate = try KernelGate.closing(name)
            try gate?.guardAddresses(configured, keepingOthers: true)
            return try gate?.open(addresses, until: end) ?? true
        }
    }

    package func announce(_ address: IPAddress) throws(VirtualIPError) {
        try Self.explaining(name) { () throws(SystemError) in try announcements.announce(address) }
    }

    package var closingTime: Nanoseconds? {
        guard let earliness = gate?.earliness else { return nil }
        return earliness + Self.lastExchange
    }

    package func hold(_ hold: ArrivalHold, for addresses: [IPAddress]) throws(VirtualIPError) {
        guard gate != nil else { return }
        try Self.explaining(name) { () throws(SystemError) in
            switch hold {
            case .nothing:
                try gate?.hold([])
                relay.letIn(claimed)
            case .newConnections: try holdConnections(addresses, .newConnections)
            case .everything:
                try holdConnections(addresses, .everything)
                for address in addresses { try gate?.close(address) }
            }
        }
    }

    /// Keeps what arrives from now on until the next holder of `addresses` has made the open connections.
    /// - Returns: what is to be told when it has.
    package func keepArrivals(for addresses: [IPAddress]) -> ArrivalRelay {
        relay.begin(Set(addresses), .everything, awaitsConnections: true)
        return relay
    }

    private func holdConnections(
        _ addresses: [IPAddress], _ scope: HeldArrivals.Scope
    ) throws(SystemError) {
        if !addresses.isEmpty { relay.begin(Set(addresses), scope) }
        try gate?.hold(Set(addresses))
    }

    package func release(_ address: IPAddress) throws(VirtualIPError) {
        if claimed.remove(address) != nil { relay.begin([address]) }
        try Self.explaining(name) { () throws(SystemError) in
            // Without its address a gate that stays open does no harm, and it closes with the lease.
            try? gate?.close(address)
            do throws(SystemError) { try addresses.remove(address) } catch {
                if error.code != EADDRNOTAVAIL && error.code != ENODEV { throw error }
            }
        }
    }

    /// The kernel's notices also tell of our own removals, and late, so the addresses themselves decide.
    package func hasLost(anyOf held: [IPAddress]) -> Bool {
        let removals = monitor.removals
        guard removals != seenRemovals else { return false }
        seenRemovals = removals
        guard let present = try? netlink.addresses(interface: interface) else { return true }
        return !held.allSatisfy(present.contains)
    }

    /// Tries the privilege by removing an address that can not be there (RFC 5737), since only the kernel knows
    /// whether it would let us: in a container, capabilities do not tell.
    private static func privilegedSocket(interface: UInt32) throws(SystemError) -> NetlinkSocket {
        var socket = try NetlinkSocket()
        let documentation = IPAddress(v4: 0xc000_0201)
        do throws(SystemError) { try socket.delete(documentation, interface: interface) } catch {
            if error.code != EADDRNOTAVAIL { throw error }
        }
        return socket
    }

    private static func explaining<Result: ~Copyable>(
        _ interface: String, _ body: () throws(SystemError) -> Result
    ) throws(VirtualIPError) -> Result {
        do throws(SystemError) { return try body() } catch { throw explained(error, interface) }
    }

    private static func explained(_ error: SystemError, _ interface: String) -> VirtualIPError {
        let cure =
            switch error.code {
            case EPERM, EACCES:
                "run as root, or give gwnode CAP_NET_ADMIN and CAP_NET_RAW"
                    + " (AmbientCapabilities= in the systemd unit, or `setcap cap_net_admin,cap_net_raw+ep`)"
            case ENETDOWN: "bring the interface up: `ip link set \(interface) up`"
            case ENODEV, ENXIO: "the interface is gone; see `ip link`"
            case EAGAIN: "the kernel did not answer in time"
            default: "see `ip address show dev \(interface)`"
            }
        return VirtualIPError("cannot manage addresses of \(interface): \(error)", cure: cure)
    }
}
