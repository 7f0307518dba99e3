import Gateway

extension Exchange {
    /// An exchange whose request went to a backend.
    static func awaiting(_ traits: RequestTraits) -> Exchange {
        var exchange = Exchange()
        _ = exchange.handle(.request(traits))
        _ = exchange.handle(.connected)
        return exchange
    }

    /// An exchange whose response head went to the client.
    static func replying(_ traits: RequestTraits, _ framing: BodyFraming) -> Exchange {
        var exchange = awaiting(traits)
        _ = exchange.handle(.response(.ok(framing)))
        return exchange
    }
}

extension RequestTraits {
    static var get: RequestTraits { of(.get, .none) }

    static func post(_ framing: BodyFraming) -> RequestTraits { of(.post, framing) }

    static func of(_ method: HTTPMethod, _ framing: BodyFraming) -> RequestTraits {
        var traits = RequestTraits()
        traits.method = method
        traits.framing = framing
        return traits
    }

    var closing: RequestTraits { with { $0.isPersistent = false } }
    var expecting: RequestTraits { with { $0.expectsContinue = true } }
    var upgrading: RequestTraits { with { $0.wantsUpgrade = true } }

    func http10(persistent: Bool) -> RequestTraits {
        with {
            $0.version = .http10
            $0.isPersistent = persistent
        }
    }

    private func with(_ change: (inout RequestTraits) -> Void) -> RequestTraits {
        var copy = self
        change(&copy)
        return copy
    }
}

extension ResponseTraits {
    static func ok(_ framing: BodyFraming) -> ResponseTraits { status(200, framing) }

    static func status(_ status: UInt16, _ framing: BodyFraming) -> ResponseTraits {
        var traits = ResponseTraits()
        traits.status = status
        traits.framing = framing
        return traits
    }
}
