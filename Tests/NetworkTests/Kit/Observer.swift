import CLinux
import Glibc
import Posix
import Synchronization
import Testing

/// Stands on the client's side and asks who has an address, some hundred times a second: each machine that would take the
/// client's packets answers. Two machines that answer one question are two owners at one time, however late the answers
/// come.
final class Observer: Sendable {
    typealias Hardware = NeighbourQuestion.Hardware

    struct Violation: Hashable, Sendable {
        var owners: Set<Hardware>
    }

    private struct Findings {
        var violations: [Violation] = []
        var answers = 0
        var current: Hardware?
        var answeredAt: Instant?
        var longestSilence = Nanoseconds.zero
    }

    private static let pauseMilliseconds: Int32 = 2

    private let findings: Mutex<Findings>
    private let isStopping = Atomic(false)
    private let thread = Mutex<Posix.Thread?>(nil)

    init(interface: String, address: String) throws {
        findings = Mutex(Findings())
        let target = try #require(IPAddress(address))
        let raw = socket(AF_PACKET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        try #require(raw >= 0)
        let socket = FileDescriptor(owning: raw)
        var link = sockaddr_ll()
        link.sll_family = UInt16(AF_PACKET)
        link.sll_protocol = NeighbourQuestion.protocolNumber(target).bigEndian
        link.sll_ifindex = Int32(if_nametoindex(interface))
        var length = socklen_t(MemoryLayout<sockaddr_ll>.size)
        let result = withUnsafeMutablePointer(to: &link) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(raw, $0, length) == 0 ? getsockname(raw, $0, &length) : -1
            }
        }
        try #require(result == 0)
        let hardware = withUnsafeBytes(of: link.sll_addr) { Array($0.prefix(6)) }
        let descriptor = socket.take()
        let bound = link
        let started = try Posix.Thread(name: "observer") { [self] in
            watch(FileDescriptor(owning: descriptor), bound, NeighbourQuestion(target: target, hardware: hardware))
        }
        thread.withLock { $0 = started }
    }

    /// The machine that answered last.
    var current: Hardware? { findings.withLock { $0.current } }
    /// Grows with each answer.
    var answers: Int { findings.withLock { $0.answers } }
    var violations: [Violation] { findings.withLock { $0.violations } }

    /// The longest time without an answer since the last call.
    func takeLongestSilence() -> Nanoseconds {
        findings.withLock { findings in
            defer { findings.longestSilence = .zero }
            return findings.longestSilence
        }
    }

    func stop() {
        isStopping.store(true, ordering: .releasing)
        thread.withLock { $0.take() }?.join()
    }

    private func watch(_ socket: consuming FileDescriptor, _ link: sockaddr_ll, _ question: NeighbourQuestion) {
        var mark = 0
        var answered = [Set<Hardware>](repeating: [], count: NeighbourQuestion.marks)
        while !isStopping.load(ordering: .acquiring) {
            mark = (mark + 1) % NeighbourQuestion.marks
            answered[mark] = []
            Self.send(question.packet(mark), to: question.destination, socket.raw, link)
            _ = poll(nil, 0, Self.pauseMilliseconds)
            while let packet = Self.receive(socket.raw) {
                if let (owner, mark) = question.answer(packet) { note(owner, &answered[mark]) }
            }
        }
    }

    private func note(_ owner: Hardware, _ answered: inout Set<Hardware>) {
        answered.insert(owner)
        let owners = answered
        findings.withLock { findings in
            let now = Instant.now()
            if let last = findings.answeredAt { findings.longestSilence = max(findings.longestSilence, now - last) }
            findings.answeredAt = now
            findings.answers += 1
            findings.current = owner
            if owners.count > 1 { findings.violations.append(Violation(owners: owners)) }
        }
    }

    private static func send(_ packet: [UInt8], to destination: Hardware, _ raw: Int32, _ link: sockaddr_ll) {
        var address = link
        address.sll_halen = 6
        withUnsafeMutableBytes(of: &address.sll_addr) { $0.copyBytes(from: destination) }
        _ = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(raw, packet, packet.count, 0, $0, socklen_t(MemoryLayout<sockaddr_ll>.size))
            }
        }
    }

    /// The next packet that waits.
    private static func receive(_ raw: Int32) -> [UInt8]? {
        var packet = [UInt8](repeating: 0, count: 256)
        let count = recv(raw, &packet, packet.count, 0)
        return count < 0 ? nil : Array(packet[..<min(count, packet.count)])
    }
}
