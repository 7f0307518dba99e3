import CLinux
import Glibc
import Posix
import Synchronization

/// A client that opens a connection every few milliseconds and asks for `/`, without waiting for one answer before the
/// next question.
final class DrillClient: Sendable {
    private static let interval = Nanoseconds.milliseconds(5)
    /// After which a request is lost. A lost SYN is sent again a second later, which no client should have to wait for.
    private static let limit = Nanoseconds.seconds(1)

    private struct Pending {
        var socket: Int32
        var opened: Instant
        var isSent = false
    }

    private struct Findings {
        var ended: [DrillTimeline.Request] = []
        var oldestOpen: Instant?
    }

    private let findings = Mutex(Findings())
    private let isStopping = Atomic(false)
    private let thread = Mutex<Thread?>(nil)

    init(_ address: SocketAddress) throws(SystemError) {
        let started = try Thread(name: "drill-client") { [self] in ask(address) }
        thread.withLock { $0 = started }
    }

    func stop() {
        isStopping.store(true, ordering: .releasing)
        thread.withLock { $0.take() }?.join()
    }

    /// The requests that ended since this was last called.
    func takeEnded() -> [DrillTimeline.Request] {
        findings.withLock { findings in
            defer { findings.ended = [] }
            return findings.ended
        }
    }

    /// When the oldest request began that has not ended.
    var oldestOpen: Instant? { findings.withLock { $0.oldestOpen } }

    private func ask(_ address: SocketAddress) {
        let request = Array(
            "GET / HTTP/1.1\r\nHost: \(address)\r\nUser-Agent: gwnode-drill\r\nConnection: close\r\n\r\n".utf8)
        var pending: [Pending] = []
        var due = Instant.now()
        while !isStopping.load(ordering: .acquiring) {
            let now = Instant.now()
            if now >= due {
                due = max(due + Self.interval, now)
                open(address, now, &pending)
            }
            Self.wait(for: pending, until: due)
            advance(&pending, request)
        }
        for request in pending { close(request.socket) }
    }

    private func open(_ address: SocketAddress, _ now: Instant, _ pending: inout [Pending]) {
        do throws(SystemError) {
            pending.append(Pending(socket: try Socket.startConnecting(to: address).take(), opened: now))
        } catch {
            note(now, isAnswered: false)
        }
    }

    private static func wait(for pending: [Pending], until due: Instant) {
        var polls = pending.map { pollfd(fd: $0.socket, events: Int16($0.isSent ? POLLIN : POLLOUT), revents: 0) }
        let left = (due - Instant.now()).count
        _ = poll(&polls, nfds_t(polls.count), Int32((left + 999_999) / 1_000_000))
    }

    private func advance(_ pending: inout [Pending], _ request: [UInt8]) {
        var kept: [Pending] = []
        for var one in pending {
            switch Self.advance(&one, request) {
            case true?: end(one, isAnswered: true)
            case false?: end(one, isAnswered: false)
            case nil where Instant.now() - one.opened > Self.limit: end(one, isAnswered: false)
            case nil: kept.append(one)
            }
        }
        pending = kept
        findings.withLock { $0.oldestOpen = kept.first?.opened }
    }

    /// Whether it was answered; nil when that is not decided yet.
    private static func advance(_ one: inout Pending, _ request: [UInt8]) -> Bool? {
        var state = pollfd(fd: one.socket, events: Int16(one.isSent ? POLLIN : POLLOUT), revents: 0)
        guard poll(&state, 1, 0) > 0 else { return nil }
        if !one.isSent {
            one.isSent = true
            guard Socket.pendingError(one.socket) == 0 else { return false }
            return send(one.socket, request, request.count, Int32(MSG_NOSIGNAL)) == request.count ? nil : false
        }
        var buffer = [UInt8](repeating: 0, count: 1024)
        let count = recv(one.socket, &buffer, buffer.count, 0)
        if count < 0 && errno == EAGAIN { return nil }
        return isAnswer(buffer[..<max(0, count)])
    }

    /// Whatever a gateway says to it but that it can not serve.
    private static func isAnswer(_ bytes: ArraySlice<UInt8>) -> Bool {
        let head = Array("HTTP/1.1 ".utf8)
        guard bytes.count > head.count, bytes.starts(with: head) else { return false }
        return (UInt8(ascii: "2")...UInt8(ascii: "4")).contains(bytes[head.count])
    }

    private func end(_ one: Pending, isAnswered: Bool) {
        close(one.socket)
        note(one.opened, isAnswered: isAnswered)
    }

    private func note(_ opened: Instant, isAnswered: Bool) {
        let request = DrillTimeline.Request(opened: opened, ended: Instant.now(), isAnswered: isAnswered)
        findings.withLock { $0.ended.append(request) }
    }
}
