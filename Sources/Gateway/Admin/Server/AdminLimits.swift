import Posix

/// Bounds on what clients of the admin API may take.
package enum AdminLimits {
    /// Connections at a time; more wait in the kernel's queue.
    package static let connections = 256
    /// Of a request's head.
    package static let headBytes = 16 << 10
    /// Of a request's body: a configuration of the largest size that can be replicated.
    package static let bodyBytes = Command.Limit.sourceBytes
    /// From the first byte of a request, or the accept, to the end of its head.
    package static let headTime = Nanoseconds.seconds(10)
    /// From the end of the head to the end of the body.
    package static let bodyTime = Nanoseconds.seconds(30)
    /// Between two requests.
    package static let idleTime = Nanoseconds.seconds(60)
    /// For the node's own work on a request.
    package static let answerTime = Nanoseconds.seconds(30)
    /// For the client to take the response.
    package static let writeTime = Nanoseconds.seconds(30)
    /// After an answer that ends the connection, for the client to close: a reset before could lose the answer.
    package static let lingerTime = Nanoseconds.seconds(2)
    /// Without descriptors for another connection.
    package static let acceptPause = Nanoseconds.milliseconds(100)
    /// Watchers at a time; more are refused.
    package static let streams = 32
    /// Kept for a watcher that does not read; one with more is dropped. The beginning of a stream has room in it.
    package static let streamBytes = 4 << 20
    /// Without a message, a sign of life is sent.
    package static let streamSilence = Nanoseconds.seconds(10)
    /// Between two rounds of messages; a change after a quiet time is told at once.
    package static let streamPause = Nanoseconds.milliseconds(100)
    package static let receiveBytes = 16 << 10
}
