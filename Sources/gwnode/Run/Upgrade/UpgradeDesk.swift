import Gateway
import Posix
import Synchronization

/// Where upgrades are asked for; open once there is a node to upgrade.
final class UpgradeDesk: Sendable {
    typealias Completion = AdminServices.Completion<UpgradeDocument>

    private let begin = Mutex<(@Sendable (@escaping Completion) -> Void)?>(nil)

    func open(_ begin: @escaping @Sendable (@escaping Completion) -> Void) {
        self.begin.withLock { $0 = begin }
    }

    /// From any thread; completes when the upgrade is over.
    func ask(_ completion: @escaping Completion) {
        guard let begin = begin.withLock({ $0 }) else {
            return completion(.failure(.unavailable("this node is about to start")))
        }
        begin(completion)
    }
}
