import Synchronization

/// What became of a worker's connections that a proxy had to introduce: only its thread writes, any thread reads.
struct IntroductionCounters: ~Copyable {
    let accepted = Atomic<UInt64>(0)
    let refused = CaseCounters<ProxyHeaderFault>()
}
