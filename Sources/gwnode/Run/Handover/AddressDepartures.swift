import Posix
import Raft
import Synchronization

/// Addresses that leave this node without leadership, and to whom.
struct Departure: Hashable, Sendable {
    var addresses: Set<IPAddress>
    /// Nil while it is not known.
    var heir: NodeID?

    init(_ addresses: Set<IPAddress> = [], to heir: NodeID? = nil) {
        self.addresses = addresses
        self.heir = heir
    }
}

/// Which addresses are about to leave this node by themselves, without leadership, and whose clients have left: between
/// the consensus thread, which wants it, and the mover, which does it.
final class AddressDepartures: Sendable {
    private struct State {
        var wanted = Departure()
        var isBegun = false
        var deserted: Set<IPAddress> = []
    }

    private let state = Mutex(State())

    /// Whose clients have gone ahead, or been told and had the time to leave.
    var deserted: Set<IPAddress> { state.withLock { $0.deserted } }

    /// True when the mover has something to begin.
    func want(_ departure: Departure) -> Bool {
        state.withLock { state in
            state.wanted = departure
            return !departure.addresses.isEmpty && !state.isBegun
        }
    }

    /// Nil when there is nothing to do, or it is being done.
    func begin() -> Departure? {
        state.withLock { state in
            guard !state.wanted.addresses.isEmpty, !state.isBegun else { return nil }
            state.isBegun = true
            return state.wanted
        }
    }

    /// The clients have gone ahead. False, and nothing has changed, when the addresses are to go elsewhere now, or to stay.
    func leave(_ departure: Departure) -> Bool {
        state.withLock { state in
            guard state.wanted.heir == departure.heir, departure.addresses.isSubset(of: state.wanted.addresses) else {
                return false
            }
            state.deserted = departure.addresses
            return true
        }
    }

    /// The clients had the time to leave.
    func note(deserted addresses: Set<IPAddress>) { state.withLock { $0.deserted = addresses } }

    func end() {
        state.withLock { state in
            state.isBegun = false
            state.deserted = []
        }
    }
}
