import Posix
import Raft

extension Spreading {
    /// What the decision depends on.
    package struct Conditions: Sendable {
        package var now: Instant
        package var raft: Status
        /// The addresses of the configuration.
        package var addresses: [IPAddress]
        package var isSpread: Bool
        package var loans: [IPAddress: Loan]
        package var drained: Set<NodeID>
        /// What may be on this machine.
        package var occupied: Set<IPAddress>
        /// Whose clients have left, as `Turn.departing` asked for.
        package var deserted: Set<IPAddress>
        /// Nothing keeps this node from holding addresses.
        package var isAble: Bool
        /// Another process is about to take the place of this one.
        package var pauses: Bool

        package init(
            now: Instant, raft: Status, addresses: [IPAddress], isSpread: Bool, loans: [IPAddress: Loan],
            drained: Set<NodeID> = [], occupied: Set<IPAddress>, deserted: Set<IPAddress> = [], isAble: Bool = true,
            pauses: Bool = false
        ) {
            self.now = now
            self.raft = raft
            self.addresses = addresses
            self.isSpread = isSpread
            self.loans = loans
            self.drained = drained
            self.occupied = occupied
            self.deserted = deserted
            self.isAble = isAble
            self.pauses = pauses
        }
    }

    package struct Turn: Hashable, Sendable {
        /// By which this node holds its share.
        package var lease: Lease?
        package var share = AddressShare.all
        package var lent: [NodeID: [Right]] = [:]
        /// To whom for long.
        package var long: Set<NodeID> = []
        /// Nil where this node takes no part in lending.
        package var wish: BorrowerWish?
        /// To be proposed; what is not applied comes again.
        package var changes: [LoanChange] = []
        /// Addresses that are about to leave this node: their clients are to go along, or to be told.
        package var departing: Set<IPAddress> = []
        /// Who holds these next; nil while that is not known.
        package var heir: NodeID?
        package var deadline = Instant.distantFuture
    }
}

extension Spreading.Conditions {
    /// In an order that is the same everywhere.
    var sortedLoans: [(address: IPAddress, loan: Loan)] {
        loans.sorted { Right($0.key) < Right($1.key) }.map { ($0.key, $0.value) }
    }
}

extension Status {
    func peer(_ node: NodeID) -> PeerStatus? { peers.first { $0.id == node } }

    func isClaimed(_ address: IPAddress) -> Bool {
        peers.contains { $0.claims.contains(Right(address)) }
    }

    func isGranted(_ address: IPAddress) -> Bool {
        peers.contains { $0.granted.contains(Right(address)) }
    }
}
