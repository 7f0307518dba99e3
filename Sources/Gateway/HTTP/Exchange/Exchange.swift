/// One client connection's current exchange with a backend, as a state machine without bytes, sockets or clock.
///
/// A worker reports events and carries out the actions they return. Between requests the exchange is idle, and
/// the same value serves the connection's whole life: framing towards the client, persistence, interim and early
/// responses, upgrades, retries and every kind of loss are decided here (RFC 9110, RFC 9112).
package struct Exchange: Sendable {
    /// Further attempts after the first, whatever the configuration says: its greatest number, and one more for a
    /// connection from the pool that was dead. How many an upstream wants is counted by the worker, which then
    /// reports `unavailable`.
    package static let maximumRetries: UInt8 = 11
    /// Interim responses passed on for one request.
    package static let maximumInterimResponses: UInt8 = 16

    enum Phase: UInt8 {
        /// No request is under way.
        case idle
        /// A backend is being picked or connected.
        case connecting
        /// The request is going out; no final response head yet.
        case awaiting
        /// The response head went to the client; its body follows.
        case replying
        /// Switched protocols: bytes pass both ways.
        case tunnel
        /// Nothing more is to be decided; the client's connection is going away.
        case closed
    }

    var phase = Phase.idle
    /// The request under way or just answered; plain GET where its head could not be read.
    package internal(set) var request = RequestTraits()
    var requestEnded = false
    /// The whole request as sent so far is still there to be sent again.
    var requestKept = true
    /// A byte of a response came.
    var replied = false
    var retries: UInt8 = 0
    var interimResponses: UInt8 = 0
    var responsePersists = false
    var responseFraming = BodyFraming.none
    var clientPersists = true
    /// The client sent FIN.
    var clientEnded = false
    /// The backend sent FIN; tunnels only.
    var upstreamEnded = false
    var draining = false

    /// How the response body is framed towards the client. Valid from `forwardResponse` on.
    package internal(set) var replyFraming = BodyFraming.none
    /// Why the latest attempt failed; what to say on `respond`.
    package internal(set) var answer = ExchangeAnswer.noBackend

    package init() {}

    package var isIdle: Bool { phase == .idle }
    package var isTunnel: Bool { phase == .tunnel }
    package var isClosed: Bool { phase == .closed }

    /// Whether the request may be sent again after what came of it so far: the client has been told nothing of it.
    package var mayTryAgain: Bool {
        phase == .awaiting && interimResponses == 0 && requestKept && request.method.isIdempotent
            && retries < Exchange.maximumRetries
    }

    /// The next response head says that the connection ends. Valid with `forwardResponse` and `respond`.
    package internal(set) var announcesClose = false

    /// The connection ends with the next response, which says so; unlike `drain`, an idle connection stays open for it.
    package mutating func endAfterNextResponse() { draining = true }

    /// Takes one event. Traps on events that can not occur in the present phase: those are errors of the caller,
    /// never of a client or backend.
    package mutating func handle(_ event: ExchangeEvent) -> ExchangeActions {
        switch phase {
        case .idle: whenIdle(event)
        case .connecting: whenConnecting(event)
        case .awaiting: whenAwaiting(event)
        case .replying: whenReplying(event)
        case .tunnel: whenTunnel(event)
        case .closed: whenClosed(event)
        }
    }
}
