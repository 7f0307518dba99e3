import Posix
import Synchronization

/// Which addresses are about to leave this node by themselves, without leadership, and whose clients have left: between
/// the consensus thread, which wants it, and the mover, which does it.
final class AddressDepartures: Sendable {
    private struct State {
        var wanted: Set<IPAddress> = []
        var isBegun = false
        var deserted: Set<IPAddress> = []
    }

    private let state = Mutex(State())

    /// Whose clients have been told, and had the time to leave.
    var deserted: Set<IPAddress> { state.withLock { $0.deserted } }

    /// True when the mover has something to begin.
    func want(_ addresses: Set<IPAddress>) -> Bool {
        state.withLock { state in
            state.wanted = addresses
            return !addresses.isEmpty && !state.isBegun
        }
    }

    /// Nil when there is nothing to do, or it is being done.
    func begin() -> Set<IPAddress>? {
        state.withLock { state in
            guard !state.wanted.isEmpty, !state.isBegun else { return nil }
            state.isBegun = true
            return state.wanted
        }
    }

    func note(deserted addresses: Set<IPAddress>) { state.withLock { $0.deserted = addresses } }

    func end() {
        state.withLock { state in
            state.isBegun = false
            state.deserted = []
        }
    }
}
