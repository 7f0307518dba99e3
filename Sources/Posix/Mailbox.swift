import Synchronization

/// A bounded queue into one thread. Any thread posts; the owner polls `descriptor` and drains.
package final class Mailbox<Message: Sendable>: Sendable {
    private struct Waiting {
        var messages: [Message] = []
        /// The owner has been, or is just being, told of them.
        var isSignalled = false
    }

    private let waiting = Mutex(Waiting())
    private let wake: WakeEvent
    private let capacity: Int

    package init(capacity: Int) throws(SystemError) {
        self.capacity = capacity
        wake = try WakeEvent()
    }

    /// The descriptor to poll for reading.
    package var descriptor: Int32 { wake.raw }

    /// False when the mailbox is full; the message is then dropped and the sender decides what that means.
    @discardableResult
    package func post(_ message: Message) -> Bool {
        guard postQuietly(message) else { return false }
        wakeOwner()
        return true
    }

    /// Like `post`, but the owner may sleep on until `wakeOwner`, so that it takes many messages at once.
    @discardableResult
    package func postQuietly(_ message: Message) -> Bool {
        waiting.withLock { waiting in
            if waiting.messages.count >= capacity { return false }
            waiting.messages.append(message)
            return true
        }
    }

    /// To be called after `postQuietly`.
    package func wakeOwner() {
        let isNeeded = waiting.withLock { waiting in
            defer { waiting.isSignalled = !waiting.messages.isEmpty }
            return !waiting.isSignalled && !waiting.messages.isEmpty
        }
        if isNeeded { wake.signal() }
    }

    /// Takes everything that waits, in the order in which it was posted.
    package func drain() -> [Message] {
        wake.clear()
        return waiting.withLock { waiting in
            let all = waiting.messages
            waiting = Waiting()
            return all
        }
    }
}
