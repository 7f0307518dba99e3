import CLinux
import Glibc
import Posix
import Synchronization
import Testing

/// Stands on the client's side and asks who has an address, some hundred times a second (RFC 826): each machine that
/// would take the client's packets answers.
///
/// Every question has a mark of its own, the address that it claims to come from, which the answers repeat. So two
/// machines that answer one question are two owners at one time, however late the answers come.
final class Observer: Sendable {
    typealias Hardware = [UInt8]

    struct Violation: Hashable, Sendable {
        var owners: Set<Hardware>
    }

    private struct Findings {
        var violations: [Violation] = []
        var answers = 0
        var current: Hardware?
    }

    /// A mark is used again after this many questions; answers are long there by then.
    private static let marks = 120
    private static let pauseMilliseconds: Int32 = 2

    private let findings: Mutex<Findings>
    private let isStopping = Atomic(false)
    private let thread = Mutex<Posix.Thread?>(nil)

    init(interface: String, address: String) throws {
        findings = Mutex(Findings())
        let raw = socket(AF_PACKET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        try #require(raw >= 0)
        let socket = FileDescriptor(owning: raw)
        var link = sockaddr_ll()
        link.sll_family = UInt16(AF_PACKET)
        link.sll_protocol = UInt16(ETH_P_ARP).bigEndian
        link.sll_ifindex = Int32(if_nametoindex(interface))
        var length = socklen_t(MemoryLayout<sockaddr_ll>.size)
        let result = withUnsafeMutablePointer(to: &link) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(raw, $0, length) == 0 ? getsockname(raw, $0, &length) : -1
            }
        }
        try #require(result == 0)
        let hardware = withUnsafeBytes(of: link.sll_addr) { Array($0.prefix(6)) }
        let target = try #require(SocketAddress("\(address):0")).ip
        let descriptor = socket.take()
        let bound = link
        let started = try Posix.Thread(name: "observer") { [self] in
            watch(FileDescriptor(owning: descriptor), bound, hardware, target.v4)
        }
        thread.withLock { $0 = started }
    }

    /// The machine that answered last.
    var current: Hardware? { findings.withLock { $0.current } }
    /// Grows with each answer.
    var answers: Int { findings.withLock { $0.answers } }
    var violations: [Violation] { findings.withLock { $0.violations } }

    func stop() {
        isStopping.store(true, ordering: .releasing)
        thread.withLock { $0.take() }?.join()
    }

    private func watch(
        _ socket: consuming FileDescriptor, _ link: sockaddr_ll, _ hardware: Hardware, _ target: UInt32
    ) {
        var mark = 0
        var answered = [Set<Hardware>](repeating: [], count: Self.marks)
        while !isStopping.load(ordering: .acquiring) {
            mark = (mark + 1) % Self.marks
            answered[mark] = []
            ask(socket.raw, link, hardware, target, mark)
            _ = poll(nil, 0, Self.pauseMilliseconds)
            while let (owner, mark) = Self.answer(socket.raw, target) { note(owner, &answered[mark]) }
        }
    }

    private func note(_ owner: Hardware, _ answered: inout Set<Hardware>) {
        answered.insert(owner)
        let owners = answered
        findings.withLock { findings in
            findings.answers += 1
            findings.current = owner
            if owners.count > 1 { findings.violations.append(Violation(owners: owners)) }
        }
    }

    /// The marks are addresses of the lab's network, 10.77.0.0/24 or like it, from .110 on, which nobody else has.
    private static func source(_ target: UInt32, _ mark: Int) -> UInt32 { target & 0xffff_ff00 | UInt32(110 + mark) }

    private func ask(_ raw: Int32, _ link: sockaddr_ll, _ hardware: Hardware, _ target: UInt32, _ mark: Int) {
        func bytes(_ address: UInt32) -> [UInt8] { withUnsafeBytes(of: address.bigEndian) { Array($0) } }
        let head: [UInt8] = [0, 1, 8, 0, 6, 4, 0, 1]
        let nobody = [UInt8](repeating: 0, count: 6)
        let packet = head + hardware + bytes(Self.source(target, mark)) + nobody + bytes(target)
        var everybody = link
        everybody.sll_halen = 6
        withUnsafeMutableBytes(of: &everybody.sll_addr) { $0.copyBytes(from: [UInt8](repeating: 0xff, count: 6)) }
        _ = withUnsafePointer(to: &everybody) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(raw, packet, packet.count, 0, $0, socklen_t(MemoryLayout<sockaddr_ll>.size))
            }
        }
    }

    /// The next answer that waits: from whom, and to which mark.
    private static func answer(_ raw: Int32, _ target: UInt32) -> (Hardware, mark: Int)? {
        func number(_ bytes: ArraySlice<UInt8>) -> UInt32 { bytes.reduce(0) { $0 << 8 | UInt32($1) } }
        var packet = [UInt8](repeating: 0, count: 128)
        while true {
            let count = recv(raw, &packet, packet.count, 0)
            if count < 0 { return nil }
            guard count >= 28, packet[7] == 2, number(packet[14..<18]) == target else { continue }
            let mark = Int(number(packet[24..<28])) - Int(source(target, 0))
            guard (0..<marks).contains(mark) else { continue }
            return (Array(packet[8..<14]), mark)
        }
    }
}
