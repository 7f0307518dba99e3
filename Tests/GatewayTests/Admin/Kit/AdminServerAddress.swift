import Gateway
import Posix

extension AdminServer {
    /// Of a server that listens on an address.
    var address: SocketAddress {
        guard let address = endpoint.numericAddress else { preconditionFailure("the server listens on a socket") }
        return address
    }
}
