import Gateway
import Testing

/// Random walks through exchanges: whatever client and backend do, in whatever order, what the worker is told to do
/// keeps to the rules.
@Suite struct ExchangeWalkTests {
    @Test(arguments: (1...20).map { UInt64($0) * 104_729 })
    func everyWalkKeepsToTheRules(seed: UInt64) {
        var random = SplitMix(seed: seed)
        for _ in 0..<200 {
            var walk = ExchangeWalk()
            for _ in 0..<60 where !walk.exchange.isClosed {
                if let broken = walk.step(&random) {
                    Issue.record("seed \(seed): \(broken) after \(walk.trace)")
                    return
                }
            }
        }
    }
}

/// A model of a worker that reports only what can happen, and checks what it is told.
private struct ExchangeWalk {
    private enum Upstream { case none, connecting, serving }

    var exchange = Exchange()
    var trace: [String] = []
    private var upstream = Upstream.none
    private var hasBody = false
    private var clientEnded = false
    private var upstreamEnded = false
    private var replied = false
    private var isReplying = false
    private var isKept = true
    private var retries = 0
    private var announcedClose = false

    /// Reports one event; returns the rule that the answer breaks, if any.
    mutating func step(_ random: inout SplitMix) -> String? {
        let events = possibleEvents(&random)
        let event = events[random.below(events.count)]
        let wasIdle = exchange.isIdle
        let actions = exchange.handle(event)
        trace.append("\(event)")
        note(event)
        return brokenRule(event, actions, wasIdle: wasIdle)
    }

    private func possibleEvents(_ random: inout SplitMix) -> [ExchangeEvent] {
        var events: [ExchangeEvent] = [.drain, .clientLost, .timeout(.clientWrite)]
        if !clientEnded { events.append(.clientEnd) }
        if exchange.isIdle {
            return events + [
                .request(.random(&random)), .request(.random(&random)), .request(.random(&random)),
                .invalidRequest(.bareLineFeed), .timeout(.keepAlive), .timeout(.requestHead),
            ]
        }
        if exchange.isTunnel {
            events += [.upstreamLost(.possible), .timeout(.tunnel)]
            return upstreamEnded ? events : events + [.upstreamEnd(.possible)]
        }
        if hasBody && !clientEnded {
            events += [
                .requestBody, .requestEnd, .requestEnd, .timeout(.requestBody), .invalidRequest(.invalidChunkSize),
            ]
        }
        if isKept { events.append(.requestNotKept) }
        if upstream != .none { events.append(.timeout(.total)) }
        if exchange.mayTryAgain { events.append(.tryAgain(.backendRefused(503))) }
        let delivery = Delivery.allCases[random.below(Delivery.allCases.count)]
        switch upstream {
        case .none: return events
        case .connecting:
            return events + [
                .connected, .connected, .connected, .connectFailed, .timeout(.connect), .unavailable, .unroutable,
                .answered(.tooManyConnections),
            ]
        case .serving where isReplying:
            return events + [
                .responseBody, .responseEnd(isClean: true), .responseEnd(isClean: false), .upstreamEnd(delivery),
                .upstreamLost(delivery), .invalidResponse(.invalidChunkSize), .timeout(.responseBody),
            ]
        case .serving:
            return events + [
                .responseStarted, .response(.random(&random)), .response(.random(&random)),
                .response(.random(&random)), .invalidResponse(.nulByte), .upstreamEnd(delivery),
                .upstreamLost(delivery), .timeout(.responseHead),
            ]
        }
    }

    private mutating func note(_ event: ExchangeEvent) {
        switch event {
        case .request(let traits):
            hasBody = !traits.framing.isEmpty
            (replied, isReplying, isKept, retries, announcedClose) = (false, false, true, 0, false)
        case .requestEnd: hasBody = false
        case .requestNotKept: isKept = false
        case .clientEnd: clientEnded = true
        case .upstreamEnd: upstreamEnded = true
        case .tryAgain: replied = false
        case .responseStarted, .response: replied = true
        case .connected: upstream = .serving
        case .invalidRequest, .requestBody, .clientLost, .unroutable, .answered, .unavailable, .connectFailed,
            .invalidResponse,
            .responseBody, .responseEnd, .upstreamLost, .timeout, .drain:
            break
        }
    }

    private mutating func brokenRule(_ event: ExchangeEvent, _ actions: ExchangeActions, wasIdle: Bool) -> String? {
        if actions.contains(.keepUpstream), actions.contains(.discardUpstream) { return "kept and discarded" }
        if actions.contains(.keepUpstream) {
            guard case .responseEnd(isClean: true) = event, !hasBody else { return "kept an unclean connection" }
        }
        if !actions.isDisjoint(with: [.keepUpstream, .discardUpstream]) { upstream = .none }
        if actions.contains(.retry) {
            retries += 1
            if replied || !isKept || retries > Exchange.maximumRetries { return "a retry that must not be" }
            switch event {
            case .upstreamLost(let delivery) where delivery != .unsent && !exchange.request.method.isIdempotent:
                return "a request sent twice"
            case .tryAgain where !exchange.request.method.isIdempotent: return "a request sent twice"
            default: break
            }
        }
        if !actions.isDisjoint(with: [.connect, .retry]) {
            if upstream != .none { return "a second backend connection" }
            upstream = .connecting
        }
        if actions.contains(.forwardResponse) || actions.contains(.respond) {
            if isReplying { return "a second response" }
            isReplying = true
            announcedClose = exchange.announcesClose
        }
        return brokenEnding(actions)
    }

    private mutating func brokenEnding(_ actions: ExchangeActions) -> String? {
        let endings: [ExchangeActions] = [.nextRequest, .closeClient, .abortClient]
        let count = endings.count(where: { !actions.isDisjoint(with: $0) })
        if count > 1 { return "two endings" }
        if exchange.isClosed != !actions.isDisjoint(with: [.closeClient, .abortClient]) { return "closed, or not" }
        if actions.contains(.nextRequest) {
            if hasBody { return "a next request behind an unread body" }
            if announcedClose { return "a next request after an announced close" }
            if clientEnded { return "a next request from a client that ended" }
            if !exchange.isIdle { return "a next request in the middle of one" }
            isReplying = false
        }
        if exchange.isIdle || exchange.isClosed, upstream != .none { return "a backend connection left behind" }
        return nil
    }
}

extension RequestTraits {
    fileprivate static func random(_ random: inout SplitMix) -> RequestTraits {
        let framings: [BodyFraming] = [.none, .none, .length(0), .length(9), .chunked]
        var traits = RequestTraits()
        traits.method = HTTPMethod.allCases[random.below(HTTPMethod.allCases.count)]
        traits.framing = framings[random.below(framings.count)]
        traits.version = random.below(4) == 0 ? .http10 : .http11
        traits.isPersistent = random.below(4) != 0
        traits.expectsContinue = !traits.framing.isEmpty && random.below(3) == 0
        traits.wantsUpgrade = traits.framing == .none && traits.version == .http11 && random.below(3) == 0
        return traits
    }
}

extension ResponseTraits {
    fileprivate static func random(_ random: inout SplitMix) -> ResponseTraits {
        let framings: [BodyFraming] = [.none, .length(0), .length(9), .chunked, .untilClose]
        let statuses: [UInt16] = [100, 101, 103, 200, 200, 204, 304, 413, 500]
        var traits = ResponseTraits()
        traits.status = statuses[random.below(statuses.count)]
        traits.framing = traits.isInterim ? .none : framings[random.below(framings.count)]
        traits.isPersistent = random.below(3) != 0
        return traits
    }
}
