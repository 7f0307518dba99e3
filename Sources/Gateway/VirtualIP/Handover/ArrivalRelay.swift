import CLinux
import Glibc
import Posix
import Synchronization

/// Listens, while addresses leave this machine, for the first packets of new connections to them, and passes these on
/// to the machine that announces the addresses next (`HeldArrivals`). It has a thread of its own.
///
/// It hears of a packet before the kernel gate drops it, and answers nothing itself.
package final class ArrivalRelay: Sendable {
    /// For how long arrivals are kept and passed on; longer than a mover holds them back.
    package static let duration = Nanoseconds.seconds(1)

    private struct State {
        /// Empty when nothing is kept.
        var addresses: Set<IPAddress> = []
        var endsAt = Instant.zero
        var isStopping = false
    }

    private let raw: Int32
    private let interface: UInt32
    private let own: [UInt8]
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
            try Self.attachFilter(raw)
            own = try Self.bindTo(raw, interface, protocolNumber: 0)
        } catch {
            close(raw)
            throw error
        }
        var on: Int32 = 1
        setsockopt(raw, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, socklen_t(MemoryLayout<Int32>.size))
        let started = try Thread(name: "relay", stackBytes: 256 << 10) { [self] in run() }
        thread.withLock { $0 = started }
    }

    /// From now on arrivals for `addresses` are kept, too; not those from before.
    package func begin(_ addresses: Set<IPAddress>) {
        guard !own.isEmpty else { return }
        state.withLock { state in
            if state.addresses.isEmpty { _ = try? Self.bindTo(raw, interface, protocolNumber: ETH_P_ALL) }
            state.addresses.formUnion(addresses)
            state.endsAt = .now() + Self.duration
        }
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
        var arrivals = HeldArrivals(own: own)
        var buffer = [UInt8](repeating: 0, count: 2048)
        while let left = timeLeft(&arrivals) {
            var polls = [raw, wake.raw].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            _ = poll(&polls, nfds_t(polls.count), left == .zero ? -1 : Int32(left.milliseconds.rounded(.up)))
            if polls[1].revents != 0 { wake.clear() }
            // A packet may be the first to tell that a relay has begun.
            arrivals.addresses = state.withLock { $0.addresses }
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
            arrivals = HeldArrivals(own: own)
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

    /// Classic BPF (linux/filter.h): lets through ARP, neighbour advertisements, and TCP segments with SYN and without
    /// ACK, so that other traffic of a busy machine never reaches this socket.
    private static func attachFilter(_ raw: Int32) throws(SystemError) {
        let accept: UInt8 = 20
        let drop: UInt8 = 21
        func jump(_ code: Int32, _ value: UInt32, at place: UInt8, yes: UInt8, no: UInt8) -> sock_filter {
            sock_filter(code: UInt16(BPF_JMP | code | BPF_K), jt: yes - place - 1, jf: no - place - 1, k: value)
        }
        func load(_ code: Int32, _ offset: UInt32) -> sock_filter {
            sock_filter(code: UInt16(BPF_LD | code), jt: 0, jf: 0, k: offset)
        }
        let protocolField = UInt32(bitPattern: SKF_AD_OFF + SKF_AD_PROTOCOL)
        let flagsMask = sock_filter(code: UInt16(BPF_ALU | BPF_AND | BPF_K), jt: 0, jf: 0, k: 0x12)
        var program = [
            load(BPF_H | BPF_ABS, protocolField),
            jump(BPF_JEQ, UInt32(ETH_P_ARP), at: 1, yes: accept, no: 2),
            jump(BPF_JEQ, UInt32(ETH_P_IP), at: 2, yes: 4, no: 3),
            jump(BPF_JEQ, UInt32(ETH_P_IPV6), at: 3, yes: 12, no: drop),
            load(BPF_B | BPF_ABS, 9),
            jump(BPF_JEQ, 6, at: 5, yes: 6, no: drop),
            load(BPF_H | BPF_ABS, 6),
            jump(BPF_JSET, 0x3fff, at: 7, yes: drop, no: 8),
            // The length of the IPv4 header.
            sock_filter(code: UInt16(BPF_LDX | BPF_B | BPF_MSH), jt: 0, jf: 0, k: 0),
            load(BPF_B | BPF_IND, 13),
            flagsMask,
            jump(BPF_JEQ, 0x02, at: 11, yes: accept, no: drop),
            load(BPF_B | BPF_ABS, 6),
            jump(BPF_JEQ, 6, at: 13, yes: 14, no: 17),
            load(BPF_B | BPF_ABS, 53),
            flagsMask,
            jump(BPF_JEQ, 0x02, at: 16, yes: accept, no: drop),
            jump(BPF_JEQ, 58, at: 17, yes: 18, no: drop),
            load(BPF_B | BPF_ABS, 40),
            jump(BPF_JEQ, 136, at: 19, yes: accept, no: drop),
            sock_filter(code: UInt16(BPF_RET | BPF_K), jt: 0, jf: 0, k: 0xffff),
            sock_filter(code: UInt16(BPF_RET | BPF_K), jt: 0, jf: 0, k: 0),
        ]
        let count = UInt16(program.count)
        let result = program.withUnsafeMutableBufferPointer { program in
            var filter = sock_fprog(len: count, filter: program.baseAddress)
            return setsockopt(
                raw, SOL_SOCKET, SO_ATTACH_FILTER, &filter, socklen_t(MemoryLayout<sock_fprog>.size))
        }
        guard result == 0 else { throw SystemError("filter a packet socket") }
    }
}
