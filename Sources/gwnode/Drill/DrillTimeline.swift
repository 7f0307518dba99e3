import Posix

/// One round of a drill, put together from what clients and the other nodes saw: without a clock of its own.
package struct DrillTimeline: Sendable {
    /// What a client got.
    package struct Request: Hashable, Sendable {
        package var opened: Instant
        /// When the answer came, or it was certain that none would.
        package var ended: Instant
        package var isAnswered: Bool

        package init(opened: Instant, ended: Instant, isAnswered: Bool) {
            self.opened = opened
            self.ended = ended
            self.isAnswered = isAnswered
        }
    }

    /// What a node knew at a moment.
    package struct Sighting: Hashable, Sendable {
        package var at: Instant
        package var term: UInt64
        package var leader: UInt64?
        /// Of each virtual address.
        package var holders: [UInt64?]

        package init(at: Instant, term: UInt64, leader: UInt64?, holders: [UInt64?]) {
            self.at = at
            self.term = term
            self.leader = leader
            self.holders = holders
        }
    }

    /// For so long no client may have lost anything before a round is over.
    private static let calm = Nanoseconds.milliseconds(300)
    /// When no node but the leader can be asked, clients alone tell, and the first of them may be lost late.
    private static let longestDelay = Nanoseconds.seconds(3)

    private let began: Instant
    private let leader: UInt64
    private let term: UInt64
    private var detected: Instant?
    private var elected: Instant?
    private var moved: Instant?
    private var isWatched = false
    private var lost = 0
    private var lastLost: Instant?
    private var answered: [Request] = []

    /// - Parameters:
    ///   - began: The moment of the fault.
    ///   - leader: The node that it hit, which led `term`.
    package init(began: Instant, leader: UInt64, term: UInt64) {
        self.began = began
        self.leader = leader
        self.term = term
    }

    package mutating func note(_ sighting: Sighting) {
        guard sighting.at >= began else { return }
        isWatched = true
        guard sighting.leader != leader || sighting.term > term else { return }
        detected = min(detected ?? .distantFuture, sighting.at)
        guard sighting.term > term, sighting.leader != nil, sighting.leader != leader else { return }
        elected = min(elected ?? .distantFuture, sighting.at)
        guard sighting.holders.allSatisfy({ $0 != nil && $0 != leader }) else { return }
        moved = min(moved ?? .distantFuture, sighting.at)
    }

    /// Those that ended before the fault do not count.
    package mutating func note(_ request: Request) {
        guard request.ended >= began else { return }
        if request.isAnswered {
            answered.append(request)
        } else {
            lost += 1
            lastLost = max(lastLost ?? .zero, request.opened)
        }
    }

    /// Whether another node is known to hold the addresses.
    package var isTakenOver: Bool { moved != nil }

    /// Whether another node has taken over and clients are served as before. `oldestOpen` is when the oldest request
    /// began that has not ended yet.
    package func isOver(at now: Instant, oldestOpen: Instant?) -> Bool {
        let disturbed = max(began, max(moved ?? began, lastLost ?? began))
        guard now > disturbed + Self.calm, firstAnswer != nil, oldestOpen ?? now > disturbed else { return false }
        return isWatched ? moved != nil : lost > 0 || now > began + Self.longestDelay
    }

    /// The end of the first request that was answered of those begun after the last one that was lost.
    private var firstAnswer: Instant? {
        let bound = lastLost.map { $0 + Nanoseconds(1) } ?? .zero
        return answered.filter { $0.opened >= bound }.map(\.ended).min()
    }

    /// The figures so far.
    package var round: DrillRound {
        DrillRound(
            detection: detected.map { $0 - began }, election: elected.map { $0 - began },
            address: moved.map { $0 - began }, firstAnswer: firstAnswer.map { $0 - began }, lost: lost)
    }
}

/// What one round came to, counted from the fault. What nobody could see is nil.
package struct DrillRound: Hashable, Sendable {
    /// Another node knew that the leader was gone.
    package var detection: Nanoseconds?
    /// Another node led.
    package var election: Nanoseconds?
    /// It held the virtual addresses.
    package var address: Nanoseconds?
    /// Clients were answered, and lost no request from then on.
    package var firstAnswer: Nanoseconds?
    /// Requests without an answer.
    package var lost: Int

    package init(
        detection: Nanoseconds? = nil, election: Nanoseconds? = nil, address: Nanoseconds? = nil,
        firstAnswer: Nanoseconds? = nil, lost: Int = 0
    ) {
        self.detection = detection
        self.election = election
        self.address = address
        self.firstAnswer = firstAnswer
        self.lost = lost
    }
}
