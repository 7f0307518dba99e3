import Gateway
import Posix
import Synchronization

/// The renewals of late, noted by the admin thread and told by the control thread.
final class SharedRenewals: Sendable {
    private let recent = Mutex(RecentRenewals())

    func note(_ serial: UInt64) { recent.withLock { $0.note(serial, now: .now()) } }
    func serials(at now: Instant) -> [UInt64] { recent.withLock { $0.serials(at: now) } }
}
