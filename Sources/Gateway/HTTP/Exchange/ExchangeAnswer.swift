/// A response that the gateway makes itself.
package enum ExchangeAnswer: Hashable, Sendable {
    case faultyRequest(HTTPFault)
    case incompleteRequest
    case requestTimeout
    case noRoute
    /// The request may go no further, RFC 9110 section 7.6.2.
    case lastHop
    case tooManyConnections
    /// The listener serves HTTPS alone, and says where.
    case movedToHTTPS
    case noBackend
    /// Too many requests wait for the upstream.
    case overloaded
    /// The request waited for room at its upstream for as long as it may.
    case waitedTooLong
    case backendUnreachable
    case backendLost
    case backendFaulty(HTTPFault)
    /// With this status, and then no other backend could be found.
    case backendRefused(UInt16)
    case connectTimeout
    case responseTimeout
    case totalTimeout

    package var status: UInt16 {
        switch self {
        case .faultyRequest(let fault): fault.status
        case .incompleteRequest: 400
        case .requestTimeout: 408
        case .noRoute: 404
        case .lastHop: 200
        case .movedToHTTPS: 308
        case .tooManyConnections: 429
        case .noBackend, .overloaded, .waitedTooLong: 503
        case .backendUnreachable, .backendLost, .backendFaulty: 502
        case .backendRefused(let status): status
        case .connectTimeout, .responseTimeout, .totalTimeout: 504
        }
    }

    /// After which the client may ask again.
    package var retryAfterSeconds: Int? {
        switch self {
        case .overloaded, .waitedTooLong: 1
        case .faultyRequest, .incompleteRequest, .requestTimeout, .noRoute, .lastHop, .tooManyConnections, .noBackend,
            .backendUnreachable, .backendLost, .backendFaulty, .backendRefused, .connectTimeout, .responseTimeout,
            .totalTimeout, .movedToHTTPS:
            nil
        }
    }

    /// One line for the body of the answer and for the log.
    package var reason: StaticString {
        switch self {
        case .faultyRequest(let fault), .backendFaulty(let fault): fault.reason
        case .incompleteRequest: "the request ended before its body was complete"
        case .requestTimeout: "the request did not arrive in time"
        case .noRoute: "no route for this host and path"
        case .lastHop: "Max-Forwards lets the request go no further than this gateway"
        case .tooManyConnections: "too many connections from this client address"
        case .movedToHTTPS: "this is served by HTTPS alone"
        case .noBackend: "no backend is available"
        case .overloaded: "too many requests wait already"
        case .waitedTooLong: "too many requests are under way, and none ended in time"
        case .backendUnreachable: "the backend can not be reached"
        case .backendLost: "the backend closed the connection without a response"
        case .backendRefused: "the backend failed, and no other one took the request"
        case .connectTimeout: "the backend did not accept a connection in time"
        case .responseTimeout: "the backend did not respond in time"
        case .totalTimeout: "the request took longer than it may in all"
        }
    }
}
