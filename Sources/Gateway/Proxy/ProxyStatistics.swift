import Synchronization
import TLS

/// What one worker, or all of them together, have done since the start.
package struct ProxyStatistics: Hashable, Sendable {
    /// Requests whose head was parsed, the refused ones included.
    package var requests: UInt64 = 0
    /// Final responses by the first digit of their status, from 1xx (tunnels) to 5xx; made here or by a backend.
    package var responses: [UInt64] = [0, 0, 0, 0, 0]
    /// Attempts at a further backend.
    package var retries: UInt64 = 0
    /// Responses that could not be completed.
    package var cutShort: UInt64 = 0
    /// Body and head bytes from and to clients.
    package var bytesReceived: UInt64 = 0
    package var bytesSent: UInt64 = 0
    package var connectionsAccepted: UInt64 = 0
    /// Client connections that were refused because a limit was reached.
    package var connectionsRefused: UInt64 = 0
    /// Connections opened to backends.
    package var upstreamConnects: UInt64 = 0
    /// Requests under way, tunnels included.
    package var activeRequests: Int = 0
    /// Open client connections.
    package var clientConnections: Int = 0
    /// Open backend connections, idle ones included.
    package var upstreamConnections: Int = 0

    /// Handshakes with clients that led to a secured connection: in full, and with a session from before.
    package var handshakes: UInt64 = 0
    package var resumedHandshakes: UInt64 = 0
    /// Those that did not.
    package var failedHandshakes: [HandshakeFault: UInt64] = [:]
    /// The same with backends.
    package var backendHandshakes: UInt64 = 0
    package var resumedBackendHandshakes: UInt64 = 0
    package var failedBackendHandshakes: UInt64 = 0
    /// Connections that a proxy introduced, and those that were refused because of what came instead.
    package var introductions: UInt64 = 0
    package var refusedIntroductions: [ProxyHeaderFault: UInt64] = [:]
    package var moved = MovedConnections()
    package var rebuilt = RebuiltConnections()

    /// Lines of the access log that were dropped because it could not be written as fast, over all workers.
    package var accessLogDropped: UInt64 = 0

    package init() {}
}

/// The counters of one worker: only its thread writes, any thread reads.
struct WorkerCounters: ~Copyable {
    let requests = Atomic<UInt64>(0)
    let responses1xx = Atomic<UInt64>(0)
    let responses2xx = Atomic<UInt64>(0)
    let responses3xx = Atomic<UInt64>(0)
    let responses4xx = Atomic<UInt64>(0)
    let responses5xx = Atomic<UInt64>(0)
    let retries = Atomic<UInt64>(0)
    let cutShort = Atomic<UInt64>(0)
    let bytesReceived = Atomic<UInt64>(0)
    let bytesSent = Atomic<UInt64>(0)
    let connectionsAccepted = Atomic<UInt64>(0)
    let connectionsRefused = Atomic<UInt64>(0)
    let upstreamConnects = Atomic<UInt64>(0)
    let activeRequests = Atomic<Int>(0)
    let clientConnections = Atomic<Int>(0)
    let upstreamConnections = Atomic<Int>(0)
    /// Of the open ones of clients: the guard would move them if the process were killed now.
    let guardedConnections = Atomic<Int>(0)
    let handshakes = HandshakeCounters()
    let introductions = IntroductionCounters()

    func add(to total: inout ProxyStatistics) {
        total.requests += requests.load(ordering: .relaxed)
        total.responses[0] += responses1xx.load(ordering: .relaxed)
        total.responses[1] += responses2xx.load(ordering: .relaxed)
        total.responses[2] += responses3xx.load(ordering: .relaxed)
        total.responses[3] += responses4xx.load(ordering: .relaxed)
        total.responses[4] += responses5xx.load(ordering: .relaxed)
        total.retries += retries.load(ordering: .relaxed)
        total.cutShort += cutShort.load(ordering: .relaxed)
        total.bytesReceived += bytesReceived.load(ordering: .relaxed)
        total.bytesSent += bytesSent.load(ordering: .relaxed)
        total.connectionsAccepted += connectionsAccepted.load(ordering: .relaxed)
        total.connectionsRefused += connectionsRefused.load(ordering: .relaxed)
        total.upstreamConnects += upstreamConnects.load(ordering: .relaxed)
        total.handshakes += handshakes.full.load(ordering: .relaxed)
        total.resumedHandshakes += handshakes.resumed.load(ordering: .relaxed)
        total.backendHandshakes += handshakes.dialled.load(ordering: .relaxed)
        total.resumedBackendHandshakes += handshakes.dialledResumed.load(ordering: .relaxed)
        total.failedBackendHandshakes += handshakes.dialledFailed.load(ordering: .relaxed)
        for fault in HandshakeFault.allCases {
            total.failedHandshakes[fault, default: 0] += handshakes.failed[fault].pointee.load(ordering: .relaxed)
        }
        total.introductions += introductions.accepted.load(ordering: .relaxed)
        for fault in ProxyHeaderFault.allCases {
            total.refusedIntroductions[fault, default: 0] += introductions.refused[fault].pointee.load(
                ordering: .relaxed)
        }
        total.activeRequests += activeRequests.load(ordering: .relaxed)
        total.clientConnections += clientConnections.load(ordering: .relaxed)
        total.upstreamConnections += upstreamConnections.load(ordering: .relaxed)
        add(to: &total.moved)
    }

    func add(to moved: inout MovedConnections) {
        moved.guarded += UInt64(max(guardedConnections.load(ordering: .relaxed), 0))
    }

    @inline(__always)
    func countResponse(status: UInt16) {
        switch status / 100 {
        case 2: responses2xx.increase()
        case 3: responses3xx.increase()
        case 4: responses4xx.increase()
        case 5: responses5xx.increase()
        default: responses1xx.increase()
        }
    }
}

extension Atomic where Value == UInt64 {
    /// For a counter with one writer: a plain store in place of a locked instruction.
    @inline(__always)
    borrowing func increase(by amount: UInt64 = 1) {
        store(load(ordering: .relaxed) &+ amount, ordering: .relaxed)
    }
}

extension Atomic where Value == Int {
    /// For a gauge with one writer: a plain store in place of a locked instruction.
    @inline(__always)
    borrowing func change(by amount: Int) {
        store(load(ordering: .relaxed) &+ amount, ordering: .relaxed)
    }
}
