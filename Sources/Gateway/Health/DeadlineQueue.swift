import Posix

/// Values by deadline, the earliest first: a binary heap.
struct DeadlineQueue<Value: Hashable & Sendable>: Hashable, Sendable {
    private struct Entry: Hashable, Sendable {
        let deadline: Instant
        let value: Value
    }

    private var heap: [Entry] = []

    /// `Instant.distantFuture` when empty.
    var nextDeadline: Instant { heap.first?.deadline ?? .distantFuture }

    mutating func insert(_ value: Value, at deadline: Instant) {
        heap.append(Entry(deadline: deadline, value: value))
        var child = heap.count - 1
        while child > 0, heap[child].deadline < heap[(child - 1) / 2].deadline {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    /// The value with the earliest deadline.
    var first: Value? { heap.first?.value }

    /// Takes the earliest value out, if its deadline has come.
    mutating func popDue(at now: Instant) -> Value? {
        guard let first = heap.first, first.deadline <= now else { return nil }
        removeFirst()
        return first.value
    }

    /// Takes the earliest value out; there must be one.
    mutating func removeFirst() {
        let last = heap.removeLast()
        guard !heap.isEmpty else { return }
        heap[0] = last
        var parent = 0
        while true {
            var child = 2 * parent + 1
            guard child < heap.count else { break }
            if child + 1 < heap.count && heap[child + 1].deadline < heap[child].deadline { child += 1 }
            if heap[parent].deadline <= heap[child].deadline { break }
            heap.swapAt(parent, child)
            parent = child
        }
    }
}
