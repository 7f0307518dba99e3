import CLinux
import Glibc
import Posix
import Synchronization

/// Listens, while addresses leave this machine, for the TCP segments that arrive for them, and passes these on to the
/// machine that announces the addresses next (`HeldArrivals`). It has a thread of its own.
///
/// It hears of a packet before the kernel gate drops it, and answers nothing itself.
package final class ArrivalRelay: Sendable {
    /// For how long arrivals are kept and passed on; longer than a mover holds them back.
    package static let duration = Nanoseconds.seconds(1)

    private struct State {
        /// Empty when nothing is kept.
        var addresses: Set<IPAddress> = []
        var scope = HeldArrivals.Scope.newConnections
        var awaitsConnections = false
        var endsAt = Instant.zero
        var isStopping = false
    }

    private let raw: Int32
    private let interface: UInt32
    private let own: [UInt8]
    private let packetBytes: Int
    private let state = Mutex(State())
    private let wake: WakeEvent
    private let thread = Mutex<Thread?>(nil)

    /// Needs CAP_NET_RAW. The socket hears nothing before `begin`.
    package init(interface: UInt32) throws(SystemError) {
        let flags = Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        raw = socket(AF_PACKET, Int32(SOCK_DGRAM.rawValue) | flags, 0)
        guard raw >= 0 else { throw SystemError("open a packet socket") }
        self.interface = interface
        do throws(SystemError) {
            wake = try WakeEvent()
            own = try Self.bindTo(raw, interface, protocolNumber: 0)
        } catch {
            close(raw)
            throw error
        }
        packetBytes = Self.packetBytes(raw, interface)
        // Of what waits to be read; the kernel counts more for a packet than it has bytes.
        try? Socket.enlarge(raw, .receiving, toHold: HeldArrivals.Limit.bytes)
        var on: Int32 = 1
        setsockopt(raw, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, socklen_t(MemoryLayout<Int32>.size))
        let started = try Thread(name: "relay", stackBytes: 256 << 10) { [self] in run() }
        thread.withLock { $0 = started }
    }

    /// From now on arrivals for `addresses` are kept, too; not those from before. Without a `scope` it stays as it is,
    /// which is new connections at first. With `awaitsConnections` segments of open ones are passed on from
    /// `connectionsAreThere` on.
    package func begin(
        _ addresses: Set<IPAddress>, _ scope: HeldArrivals.Scope? = nil, awaitsConnections: Bool = false
    ) {
        guard !own.isEmpty else { return }
        state.withLock { state in
            let wasIdle = state.addresses.isEmpty
            state.addresses.formUnion(addresses)
            state.scope = scope ?? state.scope
            if awaitsConnections { state.awaitsConnections = true }
            state.endsAt = .now() + Self.duration
            do throws(SystemError) {
                try Self.attachFilter(raw, state.scope, for: state.addresses)
                if wasIdle { try Self.bindTo(raw, interface, protocolNumber: ETH_P_ALL) }
            } catch {
                Log.warning("vip: what arrives while addresses move is lost: \(error)")
            }
        }
        wake.signal()
    }

    /// The next holder has made the open connections.
    package func connectionsAreThere() {
        state.withLock { $0.awaitsConnections = false }
        wake.signal()
    }

    /// Ends the thread, once what is kept has been passed on or is too old.
    package func stop() {
        state.withLock { $0.isStopping = true }
        wake.signal()
        thread.withLock { $0.take() }?.join()
        close(raw)
    }

    /// The body of the thread.
    private func run() {
        var arrivals = HeldArrivals(own: own, packetBytes: packetBytes)
        // The longest packet that IP can tell of.
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while let left = timeLeft(&arrivals) {
            var polls = [raw, wake.raw].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            _ = poll(&polls, nfds_t(polls.count), left == .zero ? -1 : Int32(left.milliseconds.rounded(.up)))
            if polls[1].revents != 0 { wake.clear() }
            // A packet may be the first to tell that a relay has begun.
            let state = state.withLock { $0 }
            (arrivals.addresses, arrivals.scope) = (state.addresses, state.scope)
            if arrivals.awaitsConnections, !state.awaitsConnections {
                arrivals.connectionsAreThere().forEach(send)
            }
            arrivals.awaitsConnections = state.awaitsConnections
            while let (bytes, sender) = receive(&buffer) {
                for forward in arrivals.take(bytes, protocolNumber: sender.protocolNumber, from: sender.hardware) {
                    send(forward)
                }
            }
        }
    }

    /// Of the present relay, zero when there is none; nil when the thread is to end.
    private func timeLeft(_ arrivals: inout HeldArrivals) -> Nanoseconds? {
        state.withLock { state -> Nanoseconds? in
            guard !state.addresses.isEmpty else { return state.isStopping ? nil : .zero }
            let left = state.endsAt - Instant.now()
            if left > .zero { return left }
            _ = try? Self.bindTo(raw, interface, protocolNumber: 0)
            state.addresses = []
            state.scope = .newConnections
            state.awaitsConnections = false
            arrivals = HeldArrivals(own: own, packetBytes: packetBytes)
            return state.isStopping ? nil : .zero
        }
    }

    private func receive(
        _ buffer: inout [UInt8]
    ) -> ([UInt8], (protocolNumber: Int32, hardware: [UInt8]))? {
        var address = sockaddr_ll()
        var length = socklen_t(MemoryLayout<sockaddr_ll>.size)
        let count = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                retryingOnInterrupt { recvfrom(raw, &buffer, buffer.count, Int32(MSG_TRUNC), address, &length) }
            }
        }
        guard count >= 0 else { return nil }
        let hardware = withUnsafeBytes(of: address.sll_addr) { Array($0.prefix(Int(min(address.sll_halen, 8)))) }
        let bytes = count <= buffer.count ? Array(buffer[..<count]) : []
        return (bytes, (Int32(UInt16(bigEndian: address.sll_protocol)), hardware))
    }

    /// What can not be sent is lost, as it would have been without the relay.
    private func send(_ forward: HeldArrivals.Forward) {
        var address = sockaddr_ll()
        address.sll_family = UInt16(AF_PACKET)
        let protocolNumber =
            switch forward.packet.version {
            case .four: ETH_P_IP
            case .six: ETH_P_IPV6
            }
        address.sll_protocol = UInt16(protocolNumber).bigEndian
        address.sll_ifindex = Int32(interface)
        address.sll_halen = UInt8(forward.target.count)
        withUnsafeMutableBytes(of: &address.sll_addr) { $0.copyBytes(from: forward.target.prefix(8)) }
        let bytes = forward.packet.bytes
        _ = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(raw, bytes, bytes.count, 0, $0, socklen_t(MemoryLayout<sockaddr_ll>.size))
            }
        }
    }

    /// Hears packets of `protocolNumber` from now on, none for 0. The hardware address, empty on a link without.
    @discardableResult
    private static func bindTo(
        _ raw: Int32, _ interface: UInt32, protocolNumber: Int32
    ) throws(SystemError) -> [UInt8] {
        var address = sockaddr_ll()
        address.sll_family = UInt16(AF_PACKET)
        address.sll_protocol = UInt16(protocolNumber).bigEndian
        address.sll_ifindex = Int32(interface)
        var length = socklen_t(MemoryLayout<sockaddr_ll>.size)
        let result = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(raw, $0, length) == 0 ? getsockname(raw, $0, &length) : -1
            }
        }
        guard result == 0 else { throw SystemError("bind a packet socket") }
        let isEthernet = Int32(address.sll_hatype) == ARPHRD_ETHER && address.sll_halen == 6
        return isEthernet ? withUnsafeBytes(of: address.sll_addr) { Array($0.prefix(6)) } : []
    }

    /// What is heard from now on.
    private static func attachFilter(
        _ raw: Int32, _ scope: HeldArrivals.Scope, for addresses: Set<IPAddress>
    ) throws(SystemError) {
        var program = ArrivalFilter.program(scope, for: addresses)
        let count = UInt16(program.count)
        let result = program.withUnsafeMutableBufferPointer { program in
            var filter = sock_fprog(len: count, filter: program.baseAddress)
            return setsockopt(
                raw, SOL_SOCKET, SO_ATTACH_FILTER, &filter, socklen_t(MemoryLayout<sock_fprog>.size))
        }
        guard result == 0 else { throw SystemError("filter a packet socket") }
    }

    /// The longest packet that the link takes.
    private static func packetBytes(_ raw: Int32, _ interface: UInt32) -> Int {
        var request = ifreq()
        let isNamed = withUnsafeMutableBytes(of: &request) {
            if_indextoname(interface, $0.baseAddress!.assumingMemoryBound(to: CChar.self)) != nil
        }
        guard isNamed, ioctl(raw, UInt(SIOCGIFMTU), &request) == 0 else { return 1500 }
        return Int(request.ifr_ifru.ifru_mtu)
    }
}
