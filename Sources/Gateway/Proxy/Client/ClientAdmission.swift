import Posix
import Synchronization

/// How many connections clients have open, over all workers: in all, and from one address.
final class ClientAdmission: Sendable {
    private let limit: Int
    private let total = Atomic<Int>(0)
    private let addresses: ClientAddressCounts

    init(limit: Int, seed: UInt64) {
        self.limit = limit
        addresses = ClientAddressCounts(seed: seed)
    }

    /// Counts a connection unless there are as many as there may be; false then.
    func enter() -> Bool {
        if total.add(1, ordering: .relaxed).newValue <= limit { return true }
        leave()
        return false
    }

    func leave() { total.subtract(1, ordering: .relaxed) }

    /// The same for one address.
    func enter(from address: IPAddress, limit: Int) -> Bool { addresses.add(address, limit: limit) }

    func leave(from address: IPAddress) { addresses.remove(address) }
}
