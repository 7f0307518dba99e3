import Synchronization

/// A counter for each case of an enum whose raw values count from 0.
struct CaseCounters<Case: CaseIterable & RawRepresentable<Int>>: ~Copyable {
    private let counters: UnsafeMutablePointer<Atomic<UInt64>>

    init() {
        counters = .allocate(capacity: Case.allCases.count)
        for each in Case.allCases { (counters + each.rawValue).initialize(to: Atomic(0)) }
    }

    deinit { counters.deallocate() }

    subscript(each: Case) -> UnsafeMutablePointer<Atomic<UInt64>> { counters + each.rawValue }
}
