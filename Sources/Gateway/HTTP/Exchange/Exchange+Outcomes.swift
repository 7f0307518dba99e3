/// Decisions that several events share.
extension Exchange {
    /// Starts the exchange of a parsed request.
    mutating func begin(_ traits: RequestTraits) {
        phase = .connecting
        request = traits
        requestEnded = traits.framing.isEmpty
        clientPersists = traits.isPersistent
        requestKept = true
        replied = false
        retries = 0
        interimResponses = 0
    }

    /// Tries another backend where the request may be sent again; answers for the failure where it may not.
    ///
    /// A request that no backend can have seen may always be repeated, any other one only when its method is
    /// idempotent (RFC 9110 section 9.2.2). That a connection came from the pool proves nothing: a backend may
    /// have read the request before it closed. After the first byte of a response nothing is repeated.
    mutating func retryOrFail(_ failure: ExchangeAnswer, wasSeen: Bool) -> ExchangeActions {
        answer = failure
        let mayRepeat = !wasSeen || request.method.isIdempotent
        guard mayRepeat, !replied, requestKept, retries < Self.maximumRetries else { return fail(failure) }
        retries += 1
        phase = .connecting
        return [.discardUpstream, .retry]
    }

    mutating func tryAgain(_ failure: ExchangeAnswer) -> ExchangeActions {
        precondition(mayTryAgain, "a request that may be sent again")
        answer = failure
        replied = false
        retries += 1
        phase = .connecting
        return [.discardUpstream, .retry]
    }

    /// Whether a backend whose connection died can have read a part of the request.
    ///
    /// A FIN acknowledges all that came before it, so one that acknowledges nothing was sent before the request
    /// came in: the usual race with a pooled connection. A reset tells less, since the receiver's kernel may still
    /// be delaying its acknowledgement of bytes that the backend has read.
    func wasSeen(_ delivery: Delivery, byReset: Bool) -> Bool {
        switch delivery {
        case .unsent: false
        case .unacknowledged: byReset
        case .possible: true
        }
    }

    /// Answers the client ourselves. No final response head went to it yet.
    ///
    /// Interim responses may still be on their way to a client that reads slowly. A worker may then leave the answer
    /// out, so the connection ends either way: without an answer nothing else may follow.
    mutating func fail(_ failure: ExchangeAnswer) -> ExchangeActions {
        answer = failure
        let keep = keepsClient && interimResponses == 0
        announcesClose = !keep
        phase = keep ? .idle : .closed
        return [.discardUpstream, .respond, keep ? .nextRequest : .closeClient]
    }

    /// Takes a response head, RFC 9110 section 15.2 for the interim ones.
    mutating func receive(_ response: ResponseTraits) -> ExchangeActions {
        replied = true
        if response.status == 101 { return switchProtocols() }
        guard !response.isInterim else {
            interimResponses += 1
            guard interimResponses <= Self.maximumInterimResponses else {
                return fail(.backendFaulty(.tooManyInterimResponses))
            }
            return request.version == .http11 ? .forwardInterim : []
        }
        responsePersists = response.isPersistent
        responseFraming = response.framing
        replyFraming = framingTowardsClient(response.framing)
        // An early response: the rest of the request may never come, so the next one could not be found.
        clientPersists = clientPersists && requestEnded && replyFraming != .untilClose
        announcesClose = !keepsClient
        phase = .replying
        return .forwardResponse
    }

    /// 101 counts only as the consent to an upgrade that was asked for, RFC 9110 section 7.8.
    private mutating func switchProtocols() -> ExchangeActions {
        guard request.wantsUpgrade else { return fail(.backendFaulty(.unexpectedSwitch)) }
        replyFraming = .none
        announcesClose = false
        phase = .tunnel
        return [.forwardResponse, .startTunnel]
    }

    /// A body of unknown length is chunked for HTTP/1.1 clients; HTTP/1.0 ones see its end as that of the connection.
    private func framingTowardsClient(_ framing: BodyFraming) -> BodyFraming {
        switch framing {
        case .none, .length: framing
        case .chunked, .untilClose: request.version == .http11 ? .chunked : .untilClose
        }
    }

    /// The response is complete.
    mutating func complete(upstreamIsClean: Bool) -> ExchangeActions {
        let upstream: ExchangeActions =
            upstreamIsClean && responsePersists && requestEnded && responseFraming != .untilClose
            ? .keepUpstream : .discardUpstream
        let keep = keepsClient
        phase = keep ? .idle : .closed
        return [upstream, .endResponse, keep ? .nextRequest : .closeClient]
    }

    /// The response can not be completed. A body whose end the client counts may end in an orderly close and is
    /// still seen to be too short; one that ends with the connection has to end in a reset.
    mutating func cutShort() -> ExchangeActions {
        phase = .closed
        return [.discardUpstream, replyFraming == .untilClose ? .abortClient : .closeClient]
    }

    mutating func endTunnel() -> ExchangeActions {
        phase = .closed
        return [.discardUpstream, .closeClient]
    }

    /// The client's connection can take another request after this one.
    private var keepsClient: Bool { clientPersists && requestEnded && !clientEnded && !draining }
}
