import Posix
import TLS

/// How the clients of one listener are served.
package final class ListenerTerms: @unchecked Sendable {
    /// Nil: their connections are plain.
    let server: TLSServer?
    /// Whole field lines that every answer has in addition.
    let addedFields: UnsafeRawBufferPointer
    /// Every request is answered with the same place at this port by HTTPS; 0: requests are served.
    let redirectPort: UInt16
    /// The only peers that may connect, each of which says first whose connection it is; empty: anybody connects.
    let proxies: [IPNetwork]

    package init(
        server: TLSServer? = nil, addedFields: String = "", redirectPort: UInt16 = 0, proxies: [IPNetwork] = []
    ) {
        self.server = server
        self.redirectPort = redirectPort
        self.proxies = proxies
        self.addedFields = UnsafeRawBufferPointer(copied(Array(addedFields.utf8)))
    }

    deinit { addedFields.deallocate() }

    package static let plain = ListenerTerms()

    /// Whether another node can go on with a connection by what its socket alone says.
    var arePortable: Bool { server == nil && proxies.isEmpty }

    func believe(_ peer: IPAddress) -> Bool { proxies.isEmpty || proxies.contains { $0.contains(peer) } }
}

/// The terms of all listeners, by where they listen.
package struct ListenerTermsPlan: Sendable {
    /// Nil for a listener that must not serve, because it can not be secured.
    private var addresses: [SocketAddress: ListenerTerms?] = [:]
    private var ports: [UInt16: ListenerTerms?] = [:]

    package init() {}

    /// Of an address that a node has for a listener by itself.
    package mutating func set(_ terms: ListenerTerms?, at address: SocketAddress) {
        addresses.updateValue(terms, forKey: address)
    }

    /// Of a port on any other address.
    package mutating func set(_ terms: ListenerTerms?, port: UInt16) { ports.updateValue(terms, forKey: port) }

    package func terms(at address: SocketAddress) -> ListenerTerms? {
        if let own = addresses[address] { return own }
        if let port = ports[address.port] { return port }
        return .plain
    }
}
