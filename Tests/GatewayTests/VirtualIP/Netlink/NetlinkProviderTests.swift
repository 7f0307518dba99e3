import CLinux
import Gateway
import Glibc
import Namespaces
import Posix
import Testing

private let four = IPAddress("10.9.8.7")!
private let six = IPAddress("fd00:9::7")!
private var later: Instant { .now() + .seconds(60) }

@Suite(.enabled(if: Namespace.obstacle == nil, Comment(rawValue: Namespace.obstacle ?? "")))
struct NetlinkProviderTests {
    @Test(arguments: [("NetlinkAsRoot", Namespace.Privilege.root), ("NetlinkUnprivileged", .none)])
    fileprivate func inANamespace(suite: String, _ privilege: Namespace.Privilege) throws {
        let outcome = try Namespace.run(filter: suite, privilege)
        #expect(outcome.succeeded && outcome.output.contains(/Test run with [1-9]/), "\(outcome.output)")
    }
}

/// One end of a virtual cable with the provider on it, and the other end, which listens.
private final class Cable {
    let changes: Mailbox<Void>
    let provider: NetlinkProvider
    private let far: FileDescriptor

    init() throws {
        try Self.ip("link", "add", "near0", "address", "02:00:00:00:00:01", "type", "veth", "peer", "name", "far0")
        try Self.ip("link", "set", "near0", "up")
        try Self.ip("link", "set", "far0", "up")
        let changes = try Mailbox<Void>(capacity: 64)
        self.changes = changes
        let raw = socket(AF_PACKET, Int32(SOCK_DGRAM.rawValue), 0)
        guard raw >= 0 else { throw SystemError("packet socket") }
        far = FileDescriptor(owning: raw)
        provider = try NetlinkProvider(interface: "near0", ownFence: .lease) { changes.post(()) }
    }

    deinit { try? Self.ip("link", "delete", "near0") }

    static func ip(_ arguments: String...) throws {
        let outcome = try Program.run("ip", arguments)
        #expect(outcome.succeeded, "ip \(arguments): \(outcome.output)")
    }

    static func addresses() throws -> String {
        try Program.run("ip", ["address", "show", "dev", "near0"]).output
    }

    /// What the kernel gate lets in, sorted.
    static func open() throws -> [String] {
        let sets = try ["alive4", "alive6"].map { name in
            try Program.run("nft", ["list", "set", "netdev", KernelGate.table(of: "near0"), name]).output
        }
        return sets.flatMap { $0.matches(of: /([0-9a-f.:]+) timeout/).map { String($0.output.1) } }
    }

    /// Takes in packets of one protocol from now on.
    func listen(_ protocolNumber: Int32) throws {
        let result = Self.withFarAddress(protocolNumber) { bind(far.raw, $0, $1) }
        guard result == 0 else { throw SystemError("bind") }
    }

    /// To the near end.
    func send(_ packet: [UInt8], _ protocolNumber: Int32) throws {
        let sent = Self.withFarAddress(protocolNumber, to: [2, 0, 0, 0, 0, 1]) {
            sendto(far.raw, packet, packet.count, 0, $0, $1)
        }
        guard sent == packet.count else { throw SystemError("sendto") }
    }

    private static func withFarAddress<Result>(
        _ protocolNumber: Int32, to target: [UInt8] = [], _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        var address = sockaddr_ll()
        address.sll_family = UInt16(AF_PACKET)
        address.sll_protocol = UInt16(protocolNumber).bigEndian
        address.sll_ifindex = Int32(if_nametoindex("far0"))
        address.sll_halen = UInt8(target.count)
        withUnsafeMutableBytes(of: &address.sll_addr) { $0.copyBytes(from: target) }
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_ll>.size))
            }
        }
    }

    /// The next packet that `matches`.
    func receive(_ matches: ([UInt8]) -> Bool) throws -> [UInt8] {
        while true {
            try wait(far.raw)
            var buffer = [UInt8](repeating: 0, count: 2048)
            let count = recv(far.raw, &buffer, buffer.count, 0)
            guard count >= 0 else { throw SystemError("recv") }
            let packet = Array(buffer[..<count])
            if matches(packet) { return packet }
        }
    }

    /// Waits until the provider's monitor has reported a change that makes `condition` true.
    func waitForChange(_ condition: () -> Bool) throws {
        while !condition() {
            try wait(changes.descriptor)
            _ = changes.drain()
        }
    }

    private func wait(_ descriptor: Int32) throws {
        var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard Glibc.poll(&poll, 1, 5_000) == 1 else { throw SystemError("wait", code: ETIMEDOUT) }
    }
}

/// Runs as root of a namespace, started by `NetlinkProviderTests`.
@Suite(.serialized, .enabled(if: Namespace.isInside(.root), "runs inside NetlinkProviderTests"))
struct NetlinkAsRoot {
    @Test func claimAndReleaseIPv4() throws {
        let cable = try Cable()
        try cable.provider.claim(four, until: later)
        #expect(try Cable.addresses().contains("10.9.8.7/32"))
        try cable.provider.claim(four, until: later)
        try cable.provider.release(four)
        #expect(try !Cable.addresses().contains("10.9.8.7"))
        try cable.provider.release(four)
    }

    @Test func ipv6IsUsableAtOnceAndNeverASource() throws {
        let cable = try Cable()
        try cable.provider.claim(six, until: later)
        _ = try Socket.listen(on: SocketAddress(ip: six, port: 0))
        #expect(try Cable.addresses().contains("fd00:9::7/128 scope global nodad deprecated"))
        try cable.provider.release(six)
        #expect(try !Cable.addresses().contains("fd00:9::7"))
    }

    @Test func announcementsReachTheOtherEnd() throws {
        let cable = try Cable()
        try cable.listen(ETH_P_ARP)
        try cable.provider.announce(four)
        let arp = try cable.receive { $0.count >= 28 && Array($0[14..<18]) == four.networkBytes }
        #expect(Array(arp[24..<28]) == four.networkBytes)
        try cable.listen(ETH_P_IPV6)
        try cable.provider.announce(six)
        let advertisement = try cable.receive { $0.count == 72 && $0[40] == 136 }
        #expect(Array(advertisement[48..<64]) == six.networkBytes)
    }

    @Test func addressOfAKilledProcessIsRemoved() throws {
        let cable = try Cable()
        try Cable.ip("address", "add", "10.9.8.7/32", "dev", "near0")
        let manager = VirtualIPManager(provider: cable.provider)
        manager.configure(addresses: [four], ports: [80])
        #expect(try !Cable.addresses().contains("10.9.8.7"))
    }

    /// A virtual address that is also the machine's own, by mistake, is not taken away with its network.
    @Test func theMachinesOwnAddressIsLeftAlone() throws {
        let cable = try Cable()
        try Cable.ip("address", "add", "10.9.8.7/24", "dev", "near0")
        let manager = VirtualIPManager(provider: cable.provider)
        manager.configure(addresses: [four], ports: [80])
        #expect(try Cable.addresses().contains("10.9.8.7/24"))
    }

    @Test func anAddressThatSomeoneRemovesIsMissed() throws {
        let cable = try Cable()
        try cable.provider.claim(four, until: later)
        #expect(!cable.provider.hasLost(anyOf: [four]))
        try Cable.ip("address", "delete", "10.9.8.7/32", "dev", "near0")
        try cable.waitForChange { cable.provider.hasLost(anyOf: [four]) }
    }

    @Test func ownRemovalsAreNotMissed() throws {
        let cable = try Cable()
        try cable.provider.claim(six, until: later)
        try cable.provider.claim(four, until: later)
        try cable.provider.release(four)
        try cable.waitForChange { true }
        #expect(!cable.provider.hasLost(anyOf: [six]))
    }

    @Test func carrierIsWatched() throws {
        let cable = try Cable()
        #expect(cable.provider.hasCarrier)
        try Cable.ip("link", "set", "far0", "down")
        try cable.waitForChange { !cable.provider.hasCarrier }
        try Cable.ip("link", "set", "far0", "up")
        try cable.waitForChange { cable.provider.hasCarrier }
    }

    /// A node without the address's lease does not even answer who has it.
    @Test func theKernelGateOpensForTheLeaseAndClosesByItself() throws {
        let cable = try Cable()
        #expect(cable.provider.fence == .kernel)
        cable.provider.configure(addresses: [four, six], ports: [])
        #expect(try Cable.open() == [])
        try cable.provider.claim(four, until: .now() + .milliseconds(200))
        try cable.provider.claim(six, until: later)
        while try Cable.open() != ["fd00:9::7"] {}
        #expect(try cable.provider.extend([four, six], until: later))
        #expect(try Cable.open() == ["10.9.8.7", "fd00:9::7"])
        try cable.provider.release(four)
        #expect(try Cable.open() == ["fd00:9::7"])
    }

    /// What the kernel could only open late stays closed, and is opened for the next lease.
    @Test func aLeaseThatIsAsGoodAsOverOpensNothing() throws {
        let cable = try Cable()
        cable.provider.configure(addresses: [four], ports: [])
        try cable.provider.claim(four, until: later)
        #expect(try !cable.provider.extend([four], until: .now() + .microseconds(500)))
        #expect(try Cable.open() == [])
        #expect(try cable.provider.extend([four], until: later))
        #expect(try Cable.open() == ["10.9.8.7"])
    }

    /// The client asks once only: what is not let in is lost.
    @Test func whoAskedForAConnectionWhileTheseWereHeldBackGetsOneAfterwards() throws {
        let cable = try Cable()
        cable.provider.configure(addresses: [four], ports: [])
        try cable.provider.claim(four, until: later)
        try Cable.ip("link", "set", "lo", "up")
        try Cable.ip("route", "add", "10.9.8.0/24", "dev", "near0")
        try Cable.ip("neighbour", "add", "10.9.8.9", "lladdr", "02:00:00:00:00:09", "dev", "near0")
        let listener = try Socket.listen(on: SocketAddress(ip: four, port: 8080))
        try cable.listen(ETH_P_IP)
        try cable.provider.hold(.newConnections, for: [four])
        try cable.send(Self.requestForConnection, ETH_P_IP)
        try cable.provider.hold(.nothing, for: [])
        let answer = try cable.receive { $0.count >= 40 && $0[9] == 6 && Array($0[12..<16]) == four.networkBytes }
        #expect(answer[33] == 0x12, "SYN and ACK")
        withExtendedLifetime(listener) {}
    }

    /// From 10.9.8.9:49152 to 10.9.8.7:8080.
    private static var requestForConnection: [UInt8] {
        var packet: [UInt8] = [0x45, 0, 0, 40, 0, 1, 0, 0, 64, 6, 0, 0, 10, 9, 8, 9] + four.networkBytes
        var segment: [UInt8] = [0xc0, 0, 0x1f, 0x90, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x02, 0xfa, 0xf0, 0, 0, 0, 0]
        let pseudoHeader = packet[12..<20] + [0, 6, 0, 20]
        let head = Announcement.internetChecksum(packet)
        let whole = Announcement.internetChecksum(pseudoHeader + segment)
        (packet[10], packet[11]) = (UInt8(head >> 8), UInt8(head & 0xff))
        (segment[16], segment[17]) = (UInt8(whole >> 8), UInt8(whole & 0xff))
        return packet + segment
    }

    @Test func aGateThatSomebodyRemovesIsPutUpAgain() throws {
        let cable = try Cable()
        cable.provider.configure(addresses: [four], ports: [])
        try cable.provider.claim(four, until: later)
        #expect(try Program.run("nft", ["flush", "ruleset"]).succeeded)
        #expect(try cable.provider.extend([four], until: later))
        #expect(try Cable.open() == ["10.9.8.7"])
    }

    @Test func aGateOutlivesItsProcessAndIsTakenOver() throws {
        let cable = try Cable()
        cable.provider.configure(addresses: [four], ports: [])
        try cable.provider.claim(four, until: later)
        let successor = try NetlinkProvider(interface: "near0", ownFence: .lease) {}
        #expect(try Cable.open() == [], "closed, although the address is still there")
        #expect(try Program.run("nft", ["list", "ruleset"]).output.contains("elements = { 10.9.8.7 }"))
        withExtendedLifetime(successor) {}
    }

    /// What nobody renews is gone after a few seconds, whether or not a process is left to take it off.
    @Test func anAddressHasALifetime() throws {
        let cable = try Cable()
        try cable.provider.claim(four, until: later)
        #expect(try Cable.addresses().contains(/10\.9\.8\.7\/32[^\n]*\n *valid_lft [123]sec/))
    }

    @Test func missingInterfaceIsExplained() {
        let error = #expect(throws: VirtualIPError.self) {
            try NetlinkProvider(interface: "nope0", ownFence: .lease) {}
        }
        #expect(error?.what == "there is no interface nope0")
    }
}

/// Runs without any capability, started by `NetlinkProviderTests`.
@Suite(.enabled(if: Namespace.isInside(.none), "runs inside NetlinkProviderTests"))
struct NetlinkUnprivileged {
    @Test func theCureIsNamed() {
        let error = #expect(throws: VirtualIPError.self) { try NetlinkProvider(interface: "lo", ownFence: .lease) {} }
        #expect(error?.what == "cannot manage addresses of lo: remove address 192.0.2.1: Operation not permitted")
        #expect(error?.cure.contains("CAP_NET_ADMIN and CAP_NET_RAW") == true)
    }
}
