import Gateway
import Glibc
import Posix
import Synchronization

/// Asks nodes again and again what each of them knows, one thread a node, so that none waits for a dead one.
final class DrillWatch: Sendable {
    private static let pauseMilliseconds: Int32 = 2

    private let sightings = Mutex<[DrillTimeline.Sighting]>([])
    private let isStopping = Atomic(false)
    private let threads = Mutex<[Thread]>([])

    /// Each of `nodes` answers for itself.
    init(_ nodes: [ClusterClient]) throws(SystemError) {
        for node in nodes {
            let thread = try Thread(name: "drill-watch") { [self] in
                while !isStopping.load(ordering: .acquiring) {
                    watch(node)
                    _ = poll(nil, 0, Self.pauseMilliseconds)
                }
            }
            threads.withLock { $0.append(thread) }
        }
    }

    func stop() {
        isStopping.store(true, ordering: .releasing)
        for thread in threads.withLock({ $0 }) { thread.join() }
    }

    /// Those since this was last called.
    func take() -> [DrillTimeline.Sighting] {
        sightings.withLock { sightings in
            defer { sightings = [] }
            return sightings
        }
    }

    private func watch(_ node: ClusterClient) {
        guard let status = try? node.status(.stale) else { return }
        let sighting = DrillTimeline.Sighting(
            at: Instant.now(), term: status.term, leader: status.leader, holders: status.virtualAddresses.map(\.holder))
        sightings.withLock { $0.append(sighting) }
    }
}
