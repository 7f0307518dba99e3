import Posix
import Synchronization
import TLS

/// What became of a worker's handshakes: only its thread writes, any thread reads.
struct HandshakeCounters: ~Copyable {
    let full = Atomic<UInt64>(0)
    let resumed = Atomic<UInt64>(0)
    /// The same with backends, and those that failed.
    let dialled = Atomic<UInt64>(0)
    let dialledResumed = Atomic<UInt64>(0)
    let dialledFailed = Atomic<UInt64>(0)
    let failed = CaseCounters<HandshakeFault>()
}

/// Counts a worker's handshakes, and tells of failed ones at a bounded rate.
struct HandshakeReport {
    private let counters: UnsafeMutablePointer<WorkerCounters>
    private var clients = LogPace()
    private var backends = LogPace()

    init(_ counters: UnsafeMutablePointer<WorkerCounters>) { self.counters = counters }

    func count(isResumed: Bool) {
        if isResumed {
            counters.pointee.handshakes.resumed.increase()
        } else {
            counters.pointee.handshakes.full.increase()
        }
    }

    mutating func note(_ fault: HandshakeFault, from peer: SocketAddress) {
        counters.pointee.handshakes.failed[fault].pointee.increase()
        guard let others = clients.next(at: .now()) else { return }
        Log.info("tls: no secured connection with \(peer): \(fault.name)\(others)")
    }

    func countDialled(isResumed: Bool) {
        if isResumed {
            counters.pointee.handshakes.dialledResumed.increase()
        } else {
            counters.pointee.handshakes.dialled.increase()
        }
    }

    /// A backend of an upstream was refused, or refused this node.
    mutating func note(_ fault: ServerFault, of backend: SocketAddress, upstream: String) {
        counters.pointee.handshakes.dialledFailed.increase()
        guard let others = backends.next(at: .now()) else { return }
        Log.warning("tls: upstream \(upstream): no secured connection to \(backend): \(fault)\(others)")
    }
}
