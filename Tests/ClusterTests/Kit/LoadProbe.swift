import Posix
import Synchronization

/// A client that asks for one path again and again, a new connection each time, until it is stopped.
final class LoadProbe: Sendable {
    struct Outcome: Sendable {
        var succeeded = 0
        var failures: [String] = []
        /// The longest time from one good answer to the next.
        var longestGap = Nanoseconds.zero
    }

    private struct State {
        var outcome = Outcome()
        var lastSuccess: Instant?
        var stopping = false
    }

    private let state = Mutex(State())
    private let thread = Mutex<Thread?>(nil)

    init(_ address: SocketAddress, path: String = "/", timeoutMilliseconds: Int = 10_000) throws {
        let thread = try Thread(name: "load") { [self] in
            while !state.withLock({ $0.stopping }) {
                do throws(BlockingClient.Failure) {
                    let response = try BlockingClient.get(address, path, timeoutMilliseconds: timeoutMilliseconds)
                    if response.status == 200 { noteSuccess() } else { noteFailure("status \(response.status)") }
                } catch {
                    noteFailure("\(error)")
                }
            }
        }
        self.thread.withLock { $0 = thread }
    }

    /// Waits until the client has had `count` more good answers; false after the deadline.
    func waitForSuccesses(_ count: Int, within limit: Nanoseconds = .seconds(20)) -> Bool {
        let target = state.withLock { $0.outcome.succeeded } + count
        return eventually(within: limit) { state.withLock { $0.outcome.succeeded } >= target ? true : nil } == true
    }

    func stop() -> Outcome {
        state.withLock { $0.stopping = true }
        thread.withLock { $0 }?.join()
        return state.withLock { $0.outcome }
    }

    private func noteSuccess() {
        let now = Instant.now()
        state.withLock { state in
            state.outcome.succeeded += 1
            if let last = state.lastSuccess { state.outcome.longestGap = max(state.outcome.longestGap, now - last) }
            state.lastSuccess = now
        }
    }

    private func noteFailure(_ what: String) {
        state.withLock { state in
            if state.outcome.failures.count < 1000 { state.outcome.failures.append(what) }
        }
    }
}
