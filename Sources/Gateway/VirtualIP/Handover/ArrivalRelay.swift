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
        /// These stay here after all.
        var returning: Set<IPAddress> = []
        var endsAt = Instant.zero
        var isStopping = false
    }

    private let socket: PacketSocket
    private let delivery = LocalDelivery()
    private let packetBytes: Int
    private let state = Mutex(State())
    private let wake: WakeEvent
    private let thread = Mutex<Thread?>(nil)

    /// Needs CAP_NET_RAW. The socket hears nothing before `begin`.
    package init(interface: UInt32) throws(SystemError) {
        socket = try PacketSocket(interface: interface)
        wake = try WakeEvent()
        packetBytes = Self.packetBytes(socket.raw, interface)
        // Of what waits to be read; the kernel counts more for a packet than it has bytes.
        try? Socket.enlarge(socket.raw, .receiving, toHold: HeldArrivals.Limit.bytes)
        var on: Int32 = 1
        setsockopt(socket.raw, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, socklen_t(MemoryLayout<Int32>.size))
        let started = try Thread(name: "relay", stackBytes: 256 << 10) { [self] in run() }
        thread.withLock { $0 = started }
    }

    /// From now on arrivals for `addresses` are kept, too; not those from before. Without a `scope` it stays as it is,
    /// which is new connections at first. With `awaitsConnections` segments of open ones are passed on from
    /// `connectionsAreThere` on.
    package func begin(
        _ addresses: Set<IPAddress>, _ scope: HeldArrivals.Scope? = nil, awaitsConnections: Bool = false
    ) {
        guard !socket.hardware.isEmpty else { return }
        state.withLock { state in
            let wasIdle = state.addresses.isEmpty
            state.addresses.formUnion(addresses)
            state.returning.subtract(addresses)
            state.scope = scope ?? state.scope
            if awaitsConnections { state.awaitsConnections = true }
            state.endsAt = .now() + Self.duration
            do throws(SystemError) {
                try socket.attach(filter: ArrivalFilter.program(state.scope, for: state.addresses))
                if wasIdle { try socket.hear(ETH_P_ALL) }
            } catch {
                Log.warning("vip: what arrives while addresses move is lost: \(error)")
            }
        }
        wake.signal()
    }

    /// This machine keeps `addresses`, and lets in again what arrives: who asked for a connection meanwhile gets it.
    package func letIn(_ addresses: Set<IPAddress>) {
        let isMeant = state.withLock { state in
            state.returning.formUnion(addresses.intersection(state.addresses))
            return !state.returning.isEmpty
        }
        if isMeant { wake.signal() }
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
    }

    /// The body of the thread.
    private func run() {
        var arrivals = HeldArrivals(own: socket.hardware, packetBytes: packetBytes)
        // The longest packet that IP can tell of.
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while let left = timeLeft(&arrivals) {
            var polls = [socket.raw, wake.raw].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            _ = poll(&polls, nfds_t(polls.count), left == .zero ? -1 : Int32(left.milliseconds.rounded(.up)))
            if polls[1].revents != 0 { wake.clear() }
            // A packet may be the first to tell that a relay has begun.
            let state = state.withLock { state in
                defer { Self.endReturning(&state) }
                return state
            }
            (arrivals.addresses, arrivals.scope) = (state.addresses, state.scope)
            if arrivals.awaitsConnections, !state.awaitsConnections {
                arrivals.connectionsAreThere().forEach(send)
            }
            arrivals.awaitsConnections = state.awaitsConnections
            while let (bytes, protocolNumber, sender) = socket.receive(into: &buffer) {
                arrivals.take(bytes, protocolNumber: protocolNumber, from: sender).forEach(send)
            }
            for packet in arrivals.letIn(state.returning) { delivery.deliver(packet) }
        }
    }

    /// A relay that has nothing else to keep ends with that.
    private static func endReturning(_ state: inout State) {
        if state.returning.isEmpty { return }
        let others = state.addresses.subtracting(state.returning)
        state.returning = []
        if others.isEmpty { state.endsAt = .now() } else { state.addresses = others }
    }

    /// Of the present relay, zero when there is none; nil when the thread is to end.
    private func timeLeft(_ arrivals: inout HeldArrivals) -> Nanoseconds? {
        state.withLock { state -> Nanoseconds? in
            guard !state.addresses.isEmpty else { return state.isStopping ? nil : .zero }
            let left = state.endsAt - Instant.now()
            if left > .zero { return left }
            try? socket.hear(0)
            state.addresses = []
            state.scope = .newConnections
            state.awaitsConnections = false
            arrivals = HeldArrivals(own: socket.hardware, packetBytes: packetBytes)
            return state.isStopping ? nil : .zero
        }
    }

    /// What can not be sent is lost, as it would have been without the relay.
    private func send(_ forward: HeldArrivals.Forward) {
        let protocolNumber =
            switch forward.packet.version {
            case .four: ETH_P_IP
            case .six: ETH_P_IPV6
            }
        try? socket.send("an arrival", forward.packet.bytes, protocolNumber, to: forward.target)
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
