import FoundationEssentials
import Posix
import Synchronization

/// An operator who changes a backend's mode again and again, at one node after the other, until he is stopped.
final class WriteProbe: Sendable {
    struct Outcome: Sendable {
        var succeeded = 0
        /// Answers that say that nothing was changed and that the write can be repeated, and nodes that are not there.
        var retryable = 0
        /// Everything else.
        var failures: [String] = []
    }

    private struct State {
        var admins: [SocketAddress]
        var outcome = Outcome()
        var stopping = false
    }

    private struct Problem: Decodable {
        var retryable: Bool?
        var detail: String
    }

    private let state: Mutex<State>
    private let thread = Mutex<Thread?>(nil)

    /// `target` is the path of the backend.
    init(_ admins: [SocketAddress], target: String) throws {
        state = Mutex(State(admins: admins))
        let thread = try Thread(name: "writes") { [self] in
            var count = 0
            while !state.withLock({ $0.stopping }) {
                let admins = state.withLock { $0.admins }
                write(to: admins[count % admins.count], target, count)
                count += 1
            }
        }
        self.thread.withLock { $0 = thread }
    }

    /// From now on these nodes are asked.
    func use(_ admins: [SocketAddress]) { state.withLock { $0.admins = admins } }

    func waitForSuccesses(_ count: Int) -> Bool {
        let target = state.withLock { $0.outcome.succeeded } + count
        return eventually { state.withLock { $0.outcome.succeeded } >= target ? true : nil } == true
    }

    func stop() -> Outcome {
        state.withLock { $0.stopping = true }
        thread.withLock { $0 }?.join()
        return state.withLock { $0.outcome }
    }

    private func write(to admin: SocketAddress, _ target: String, _ count: Int) {
        let mode = count.isMultiple(of: 2) ? "draining" : "enabled"
        let note: (inout Outcome) -> Void
        do throws(BlockingClient.Failure) {
            var client = try BlockingClient(admin, timeoutMilliseconds: 10_000)
            let response = try client.request("PUT", target, body: "{\"mode\": \"\(mode)\"}")
            let problem = try? JSONDecoder().decode(Problem.self, from: Data(response.body.utf8))
            if response.status == 200 {
                note = { $0.succeeded += 1 }
            } else if problem?.retryable == true {
                note = { $0.retryable += 1 }
            } else {
                note = { $0.failures.append("\(admin): status \(response.status): \(problem?.detail ?? "")") }
            }
        } catch {
            switch error {
            case .connect: note = { $0.retryable += 1 }
            case .send, .receive, .malformed: note = { $0.failures.append("\(admin): \(error)") }
            }
        }
        state.withLock { note(&$0.outcome) }
    }
}
