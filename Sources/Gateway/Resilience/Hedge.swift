/// A request at two backends: when the second one is asked, and whose answer counts (hedged requests, Dean and Barroso,
/// "The tail at scale", 2013). Of one request at most one hedge is made.
package struct Hedge: Hashable, Sendable {
    package enum Phase: UInt8, Sendable, CaseIterable {
        /// Nobody waits for anything.
        case unused
        /// The first backend has the request; the second is asked when it takes too long.
        case armed
        /// A connection to the second one is being made.
        case connecting
        /// Both have the request.
        case racing
        /// One is left, or none, and no further one is asked.
        case over
    }

    package enum Event: Hashable, Sendable {
        /// The first backend has the whole request.
        case sent
        /// It has had it for as long as it may alone. `mayAsk`: the budget has room, and another backend too.
        case delayed(mayAsk: Bool)
        case secondConnected
        /// It can not be reached, or lost the request.
        case secondFailed
        /// `isFailure`: with an answer that is not worth passing on while the first one may still come.
        case secondAnswered(isFailure: Bool)
        case firstAnswered
        /// The first attempt would have to be made again elsewhere.
        case firstFailed
        /// The client has its answer, or has gone.
        case ended
    }

    package enum Action: Hashable, Sendable {
        case none
        /// Report `delayed` after the delay.
        case arm
        /// Connect to a second backend.
        case askSecond
        /// Send the request to it, too.
        case sendToSecond
        /// Give the second attempt up.
        case dropSecond
        /// Give the first attempt up; the second one takes its place.
        case replaceFirst
    }

    package private(set) var phase = Phase.unused

    package init() {}

    package mutating func handle(_ event: Event) -> Action {
        switch phase {
        case .unused: whenUnused(event)
        case .armed: whenArmed(event)
        case .connecting: whenConnecting(event)
        case .racing: whenRacing(event)
        case .over: .none
        }
    }

    private mutating func whenUnused(_ event: Event) -> Action {
        switch event {
        case .sent: go(to: .armed, .arm)
        case .delayed, .secondConnected, .secondFailed, .secondAnswered, .firstAnswered, .firstFailed, .ended: .none
        }
    }

    private mutating func whenArmed(_ event: Event) -> Action {
        switch event {
        case .sent: .arm
        case .delayed(let mayAsk): mayAsk ? go(to: .connecting, .askSecond) : go(to: .over, .none)
        // The next attempt is the first one then.
        case .firstFailed: go(to: .unused, .none)
        case .firstAnswered, .ended: go(to: .over, .none)
        case .secondConnected, .secondFailed, .secondAnswered: .none
        }
    }

    private mutating func whenConnecting(_ event: Event) -> Action {
        switch event {
        case .secondConnected: go(to: .racing, .sendToSecond)
        // Whoever has no connection yet is no help to a first attempt that failed: that looks for a backend itself.
        case .secondFailed, .firstAnswered, .firstFailed, .ended: go(to: .over, .dropSecond)
        case .sent, .delayed, .secondAnswered: .none
        }
    }

    private mutating func whenRacing(_ event: Event) -> Action {
        switch event {
        case .secondAnswered(isFailure: false), .firstFailed: go(to: .over, .replaceFirst)
        case .secondAnswered(isFailure: true), .secondFailed, .firstAnswered, .ended: go(to: .over, .dropSecond)
        case .sent, .delayed, .secondConnected: .none
        }
    }

    private mutating func go(to next: Phase, _ action: Action) -> Action {
        phase = next
        return action
    }
}
