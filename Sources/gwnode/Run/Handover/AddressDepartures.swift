import Posix
import Raft
import Synchronization

/// Addresses that leave this node without leadership, and to whom.
package struct Departure: Hashable, Sendable {
    package var addresses: Set<IPAddress>
    /// Nil while it is not known.
    package var heir: NodeID?

    package init(_ addresses: Set<IPAddress> = [], to heir: NodeID? = nil) {
        self.addresses = addresses
        self.heir = heir
    }
}

/// Which addresses are about to leave this node by themselves, without leadership, and whose clients have left: between
/// the consensus thread, which wants it, and the mover, which does it.
package final class AddressDepartures: Sendable {
    private struct State {
        var wanted = Departure()
        var isBegun = false
        var deserted: Set<IPAddress> = []
        /// What of `deserted` has been on this machine ever since.
        var remaining: Set<IPAddress> = []
    }

    private let state = Mutex(State())

    package init() {}

    /// Whose clients have gone ahead, or been told and had the time to leave.
    package var deserted: Set<IPAddress> { state.withLock { $0.deserted } }

    /// Whether all of them have been off this machine since; they may be back.
    package var haveLeft: Bool { state.withLock { $0.remaining.isEmpty } }

    /// To be told at each turn, so that no absence is too short to be seen. True when the mover has something to begin.
    package func want(_ departure: Departure, held: [IPAddress]) -> Bool {
        state.withLock { state in
            state.wanted = departure
            state.remaining.formIntersection(held)
            return !departure.addresses.isEmpty && !state.isBegun
        }
    }

    /// Nil when there is nothing to do, or it is being done.
    package func begin() -> Departure? {
        state.withLock { state in
            guard !state.wanted.addresses.isEmpty, !state.isBegun else { return nil }
            state.isBegun = true
            return state.wanted
        }
    }

    /// False when the addresses are to go elsewhere now, or to stay.
    package func isWanted(_ departure: Departure) -> Bool {
        state.withLock { state in
            state.wanted.heir == departure.heir && departure.addresses.isSubset(of: state.wanted.addresses)
        }
    }

    /// The clients have gone ahead, or had the time to leave: from now on the addresses may.
    package func note(deserted addresses: Set<IPAddress>) {
        state.withLock { ($0.deserted, $0.remaining) = (addresses, addresses) }
    }

    package func end() {
        state.withLock { state in
            state.isBegun = false
            (state.deserted, state.remaining) = ([], [])
        }
    }
}
