import Posix

/// One poller for all who work on one thread.
package final class SharedPoller {
    private let poller: Poller

    package init() throws(SystemError) { poller = try Poller() }

    package func add(_ target: Int32, _ interest: Readiness, token: UInt64) throws(SystemError) {
        try poller.add(target, interest, token: token)
    }

    package func modify(_ target: Int32, _ interest: Readiness, token: UInt64) throws(SystemError) {
        try poller.modify(target, interest, token: token)
    }

    package func remove(_ target: Int32) { poller.remove(target) }

    /// Waits for events, without end.
    package func wait() throws(SystemError) -> [(token: UInt64, readiness: Readiness)] {
        try events(timeoutMilliseconds: -1)
    }

    /// The events there are now.
    package func poll() throws(SystemError) -> [(token: UInt64, readiness: Readiness)] {
        try events(timeoutMilliseconds: 0)
    }

    private func events(
        timeoutMilliseconds: Int32
    ) throws(SystemError) -> [(token: UInt64, readiness: Readiness)] {
        let count = try poller.wait(timeoutMilliseconds: timeoutMilliseconds)
        return (0..<count).map { poller.event($0) }
    }
}
