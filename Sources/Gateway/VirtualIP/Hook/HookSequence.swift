import Posix
import Raft

/// One call of the operator's command, as `COMMAND VERB ADDRESS EPOCH`. The contract is in docs/hooks.md.
package struct HookCall: Hashable, Sendable, CustomStringConvertible {
    package enum Verb: String, Hashable, Sendable, CaseIterable {
        case claim
        case release
        case status
    }

    package var verb: Verb
    package var address: IPAddress
    /// The term in which this node leads, or led; zero for what an earlier process may have left.
    package var epoch: Term

    package init(_ verb: Verb, _ address: IPAddress, _ epoch: Term) {
        self.verb = verb
        self.address = address
        self.epoch = epoch
    }

    package var arguments: [String] { [verb.rawValue, address.description, epoch.number.description] }
    package var description: String { arguments.joined(separator: " ") }
}

/// How a call ended.
package enum HookOutcome: Hashable, Sendable, CustomStringConvertible {
    case exited(status: Int32)
    /// At its time limit, because it was not wanted any more, or by somebody else.
    case killed
    case notStarted

    package var description: String {
        switch self {
        case .exited(let status): "exit status \(status)"
        case .killed: "killed"
        case .notStarted: "not started"
        }
    }
}

/// Decides which command is run next for one address, and what its end means. A pure core: `VirtualIPClaim` decides
/// when the address is wanted, this how it gets there with commands that take their time.
///
/// - One command at a time. One that outlives its limit is killed, and so is a claim that is not wanted any more.
/// - Whatever a claim did before it failed or was killed is released.
/// - A claim that succeeded is checked by `status` at once and then from time to time: a command may lie, and somebody
///   else may take the address away. Only "not here" counts against it; a `status` that fails or hangs tells nothing.
/// - A release is repeated until it succeeds.
package struct HookSequence: Hashable, Sendable {
    package struct Limits: Hashable, Sendable {
        /// For each call.
        package var timeout: Nanoseconds
        /// From the end of one check to the next.
        package var statusInterval: Nanoseconds
        /// From a release that failed to the next.
        package var releaseRetry = Nanoseconds.seconds(1)

        package init(timeout: Nanoseconds, statusInterval: Nanoseconds) {
            self.timeout = timeout
            self.statusInterval = statusInterval
        }
    }

    package enum Action: Hashable, Sendable {
        case run(HookCall)
        /// The call under way, with all processes that it started.
        case kill
    }

    /// Why the address can not be held.
    package enum Failure: Hashable, Sendable {
        case claimFailed
        /// `status` says that it is not here.
        case notHere
    }

    private enum Place: Hashable, Sendable {
        case away
        case here(Term)
        /// A call of this epoch may have brought it here.
        case unknown(Term)
    }

    private struct Run: Hashable, Sendable {
        var call: HookCall
        var deadline: Instant
        var isKilled = false
    }

    private let address: IPAddress
    private let limits: Limits
    /// An earlier process of this node may have left the address here.
    private var place = Place.unknown(.zero)
    private var run: Run?
    private var wanted: Term?
    /// The next check or release is not begun before.
    private var notBefore = Instant.zero

    package init(_ address: IPAddress, _ limits: Limits) {
        self.address = address
        self.limits = limits
    }

    /// The command has said that the address is here, and nothing has said otherwise since.
    package var isHeld: Bool { wanted.map { place == .here($0) } ?? false }

    /// Nothing of this node's is left there.
    package var isClear: Bool { place == .away && run == nil }

    /// In which term the address shall be here; nil: not at all.
    package mutating func want(_ term: Term?) {
        guard term != wanted else { return }
        wanted = term
        notBefore = .zero
    }

    /// To be carried out at once; asked again until there is nothing.
    package mutating func next(at now: Instant) -> Action? {
        if let run {
            let isUnwanted = run.call.verb != .release && run.call.epoch != wanted
            guard !run.isKilled, isUnwanted || now >= run.deadline else { return nil }
            self.run?.isKilled = true
            return .kill
        }
        switch place {
        case .away:
            guard let wanted else { return nil }
            place = .unknown(wanted)
            return start(.claim, wanted, now)
        case .here(let epoch) where epoch == wanted:
            return now >= notBefore ? start(.status, epoch, now) : nil
        case .here(let epoch), .unknown(let epoch):
            return now >= notBefore ? start(.release, epoch, now) : nil
        }
    }

    /// The call that was run is over, with all its processes.
    package mutating func ended(_ outcome: HookOutcome, at now: Instant) -> Failure? {
        guard let call = run?.call else { return nil }
        run = nil
        let isWanted = call.epoch == wanted
        switch (call.verb, outcome) {
        case (.claim, .exited(status: 0)):
            if isWanted { place = .here(call.epoch) }
            return nil
        case (.claim, _):
            return isWanted ? .claimFailed : nil
        case (.status, .exited(status: 1)):
            place = .unknown(call.epoch)
            return isWanted ? .notHere : nil
        case (.status, _):
            if isWanted { notBefore = now + limits.statusInterval }
            return nil
        case (.release, .exited(status: 0)):
            place = .away
            return nil
        case (.release, _):
            notBefore = now + limits.releaseRetry
            return nil
        }
    }

    /// When `next` has something to say at the latest, should nothing happen.
    package var nextDeadline: Instant {
        if let run { return run.isKilled ? .distantFuture : run.deadline }
        return place == .away ? .distantFuture : notBefore
    }

    private mutating func start(_ verb: HookCall.Verb, _ epoch: Term, _ now: Instant) -> Action {
        let call = HookCall(verb, address, epoch)
        run = Run(call: call, deadline: now + limits.timeout)
        return .run(call)
    }
}
