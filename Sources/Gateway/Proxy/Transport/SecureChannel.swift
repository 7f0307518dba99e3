import Posix
import TLS

/// What the transport knows of one secured connection.
struct SecureChannel {
    enum State {
        /// Nothing has come yet: of a client nothing is set up, a server was not greeted.
        case silent
        case handshake
        case open
        /// The peer has said that nothing more comes.
        case ended
        /// Nothing can be read any more.
        case broken
    }

    /// Kept alive until the channel is freed: OpenSSL calls back into it, or its identity is what a pool goes by.
    enum Role {
        /// The peer is a client.
        case serves(Unmanaged<TLSServer>)
        /// The peer is a backend.
        case dials(Unmanaged<TLSClient>)
    }

    let role: Role
    let peer: SocketAddress
    var link: TLSLink?
    var state = State.silent
    /// Plain text that waits to be received.
    var unread = HeldBytes.none
    /// What goes to a backend before the handshake.
    var preamble = HeldBytes.none
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
    /// The peer's bytes ended, and it had not said that they would.
    var isCutOff = false
    /// Bytes of the wire that were sent.
    var sentWire: UInt64 = 0
    /// Why a backend was refused, or refused this node.
    var fault: ServerFault?

    init(serving server: TLSServer, peer: SocketAddress) {
        role = .serves(.passRetained(server))
        self.peer = peer
    }

    /// `link` is nil when memory is short.
    init(dialling client: TLSClient, peer: SocketAddress, link: TLSLink?) {
        role = .dials(.passRetained(client))
        self.peer = peer
        self.link = link
    }

    var isDialled: Bool {
        switch role {
        case .serves: false
        case .dials: true
        }
    }

    /// Lets go of what TLS needs.
    func free() {
        link?.free()
        switch role {
        case .serves(let server): server.release()
        case .dials(let client): client.release()
        }
    }
}
