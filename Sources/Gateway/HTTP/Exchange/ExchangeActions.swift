/// What a worker has to do after an event, in the order of the list below.
package struct ExchangeActions: OptionSet, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Put the backend connection into the pool.
    package static let keepUpstream = ExchangeActions(rawValue: 1 << 0)
    /// Close the backend connection, or give up connecting, if there is one.
    package static let discardUpstream = ExchangeActions(rawValue: 1 << 1)
    /// Pick a backend and connect or take a pooled connection; then report `connected`, `connectFailed`,
    /// `unroutable` or `unavailable`.
    package static let connect = ExchangeActions(rawValue: 1 << 2)
    /// The same with a backend that was not tried yet; the request is sent again from its first byte.
    package static let retry = ExchangeActions(rawValue: 1 << 3)
    /// Write the request head and what is there of the body.
    package static let forwardRequest = ExchangeActions(rawValue: 1 << 4)
    /// Write what is there of the body; after `requestEnd` with its end.
    package static let forwardRequestBody = ExchangeActions(rawValue: 1 << 5)
    /// Write the interim response head, complete in itself.
    package static let forwardInterim = ExchangeActions(rawValue: 1 << 6)
    /// Write the response head, framed by `replyFraming`, with `Connection: close` if `announcesClose`.
    package static let forwardResponse = ExchangeActions(rawValue: 1 << 7)
    /// Write what is there of the body.
    package static let forwardResponseBody = ExchangeActions(rawValue: 1 << 8)
    /// Write what is left of the body, and its last chunk if `replyFraming` is chunked.
    package static let endResponse = ExchangeActions(rawValue: 1 << 9)
    /// Write a complete response of our own: `answer`, with `Connection: close` if `announcesClose`.
    package static let respond = ExchangeActions(rawValue: 1 << 10)
    /// From now on pass bytes both ways as they are.
    package static let startTunnel = ExchangeActions(rawValue: 1 << 11)
    /// After all pending bytes, tell the backend that nothing follows.
    package static let halfCloseUpstream = ExchangeActions(rawValue: 1 << 12)
    /// After all pending bytes, tell the client that nothing follows.
    package static let halfCloseClient = ExchangeActions(rawValue: 1 << 13)
    /// The exchange is over; take the next request from this connection.
    package static let nextRequest = ExchangeActions(rawValue: 1 << 14)
    /// After all pending bytes, half-close and drain what still comes for a while, then close: a close with
    /// unread input would reset the connection and lose the response on its way.
    package static let closeClient = ExchangeActions(rawValue: 1 << 15)
    /// Reset the client's connection at once, so that a body cut short is not taken for a complete one.
    package static let abortClient = ExchangeActions(rawValue: 1 << 16)
}
