import Synchronization

/// What became of a worker's connections that a proxy had to introduce: only its thread writes, any thread reads.
struct IntroductionCounters: ~Copyable {
    let accepted = Atomic<UInt64>(0)
    /// By `ProxyHeaderFault`.
    private let faults: UnsafeMutablePointer<Atomic<UInt64>>

    init() {
        faults = .allocate(capacity: ProxyHeaderFault.allCases.count)
        for fault in ProxyHeaderFault.allCases { (faults + fault.rawValue).initialize(to: Atomic(0)) }
    }

    deinit { faults.deallocate() }

    func refused(_ fault: ProxyHeaderFault) -> UnsafeMutablePointer<Atomic<UInt64>> { faults + fault.rawValue }
}
