/// What a worker reports to an exchange.
///
/// Read a socket dry before reporting that it ended or was lost: a backend may answer and then reset.
package enum ExchangeEvent: Sendable {
    // From the client.

    /// A request head was parsed.
    case request(RequestTraits)
    /// The head or the body framing of the request is faulty.
    case invalidRequest(HTTPFault)
    /// Bytes of the request body are there.
    case requestBody
    /// The request body is complete. Not reported for requests whose body framing is empty.
    case requestEnd
    /// Request bytes that were sent are no longer kept, so the request can not be sent again.
    case requestNotKept
    /// The client will send nothing more, but may still read.
    case clientEnd
    /// The client reset the connection, or writing to it failed.
    case clientLost

    // From routing.

    /// No route takes this request.
    case unroutable
    /// The gateway answers this request itself.
    case answered(ExchangeAnswer)
    /// No backend that was not tried yet can take this request.
    case unavailable

    // From the backend.

    /// A connection is ready, new or from the pool.
    case connected
    case connectFailed
    /// First bytes of a response came, but not the whole head.
    case responseStarted
    /// A response head was parsed, interim ones included. Follow a head whose body framing is empty with
    /// `responseEnd` (except interim ones and 101).
    case response(ResponseTraits)
    case invalidResponse(HTTPFault)
    case responseBody
    /// The body is complete by its framing. `isClean`: every request byte was written and no surplus came in.
    case responseEnd(isClean: Bool)
    /// The backend will send nothing more. See `Delivery`.
    case upstreamEnd(Delivery)
    /// The backend reset the connection, or writing to it failed.
    case upstreamLost(Delivery)

    /// The worker takes what came of this attempt, or that nothing came, for a failure that another backend may spare
    /// the client. Only when `mayTryAgain`, and with another backend at hand.
    case tryAgain(ExchangeAnswer)

    // From elsewhere.

    case timeout(ExchangeTimeout)
    /// The worker wants to be rid of its clients: finish what is begun and keep no connection.
    case drain
}

/// How far this request got on a backend connection that died.
package enum Delivery: Sendable, CaseIterable {
    /// No byte of it was handed to the kernel.
    case unsent
    /// The kernel knows of no byte of it that the backend's kernel acknowledged (`tcpi_bytes_acked` unchanged).
    case unacknowledged
    case possible
}

package enum ExchangeTimeout: Sendable {
    /// Part of a request head came, the rest did not.
    case requestHead
    /// No further request came on an idle connection.
    case keepAlive
    case requestBody
    case connect
    case responseHead
    case responseBody
    /// The whole of one request took as long as it may.
    case total
    /// The client takes no bytes of the response.
    case clientWrite
    case tunnel
}
