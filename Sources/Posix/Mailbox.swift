import Synchronization

/// A bounded queue into one thread. Any thread posts; the owner polls `descriptor` and drains.
package final class Mailbox<Message: Sendable>: Sendable {
    private let messages: Mutex<[Message]>
    private let wake: WakeEvent
    private let capacity: Int

    package init(capacity: Int) throws(SystemError) {
        self.capacity = capacity
        wake = try WakeEvent()
        messages = Mutex([])
    }

    /// The descriptor to poll for reading.
    package var descriptor: Int32 { wake.raw }

    /// False when the mailbox is full; the message is then dropped and the sender decides what that means.
    @discardableResult
    package func post(_ message: Message) -> Bool {
        let count = messages.withLock { queue -> Int in
            if queue.count >= capacity { return -1 }
            queue.append(message)
            return queue.count
        }
        if count == 1 { wake.signal() }
        return count > 0
    }

    /// Takes everything that waits, in the order in which it was posted.
    package func drain() -> [Message] {
        wake.clear()
        return messages.withLock { queue in
            let all = queue
            queue = []
            return all
        }
    }
}
