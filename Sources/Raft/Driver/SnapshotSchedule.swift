/// Decides when the applied state is saved.
struct SnapshotSchedule {
    private let policy: SnapshotPolicy
    private var entries: UInt64 = 0
    private var bytes: UInt64 = 0
    private(set) var isUnderWay = false

    init(_ policy: SnapshotPolicy) { self.policy = policy }

    mutating func applied(commandBytes: Int) {
        entries += 1
        bytes += UInt64(commandBytes)
    }

    /// True once when a snapshot is due; the next one waits for `saved`.
    mutating func begin() -> Bool {
        guard !isUnderWay, entries >= policy.entries || bytes >= policy.commandBytes else { return false }
        isUnderWay = true
        entries = 0
        bytes = 0
        return true
    }

    mutating func saved() { isUnderWay = false }
}
