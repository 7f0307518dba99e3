import Posix
import TLS

/// What the transport knows of one secured connection.
struct SecureChannel {
    enum State {
        /// Nothing has come yet, so nothing is set up.
        case silent
        case handshake
        case open
        /// The peer has said that nothing more comes.
        case ended
        /// Nothing can be read any more.
        case broken
    }

    /// Kept alive until the channel is freed: OpenSSL calls back into it.
    let server: Unmanaged<TLSServer>
    let peer: SocketAddress
    var link: TLSLink?
    var state = State.silent
    /// Plain text that waits to be received.
    var unread = HeldBytes.none
    /// The subject of the client's certificate, as it is passed on.
    var subject = HeldBytes.none
    /// Of the receive that is wanted.
    var receiveLimit = 0
    var wantsReceive = false
    /// This side has said that nothing more comes.
    var hasSaidEnd = false
    /// The receive is to wait for bytes that were not seen yet.
    var wantsMore = false
    /// Linked in the list of those that can go on without an event.
    var isQueued = false

    init(_ server: TLSServer, peer: SocketAddress) {
        self.server = .passRetained(server)
        self.peer = peer
    }
}
