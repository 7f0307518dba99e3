import Posix

/// Puts virtual addresses on this machine and takes them off. Used by the consensus thread only; every call
/// returns within a fraction of a millisecond.
package protocol VirtualIPProvider: AnyObject {
    /// False while the link under the addresses is down.
    var hasCarrier: Bool { get }
    /// Makes this node answer on `address`. An address that is there already is claimed as well.
    func claim(_ address: IPAddress) throws(VirtualIPError)
    /// Tells the neighbours on the link that `address` is here now.
    func announce(_ address: IPAddress) throws(VirtualIPError)
    /// Stops answering on `address`. An address that is gone already is no error.
    func release(_ address: IPAddress) throws(VirtualIPError)
    /// Whether one of `held` was taken away by someone else since the last call.
    func hasLost(anyOf held: [IPAddress]) -> Bool
    /// The ports on which the gateway serves, for providers that open the listeners themselves.
    func serve(ports: [UInt16])
}

/// Why a provider could not do its work, and what the operator can do about it.
package struct VirtualIPError: Error, Hashable, Sendable, CustomStringConvertible {
    package let what: String
    package let cure: String

    package init(_ what: String, cure: String) {
        self.what = what
        self.cure = cure
    }

    package var description: String { "\(what); \(cure)" }
}

/// For a node that holds no address itself, because something outside of the cluster spreads the traffic.
package final class NoProvider: VirtualIPProvider {
    package init() {}
    package var hasCarrier: Bool { true }
    package func claim(_ address: IPAddress) {}
    package func announce(_ address: IPAddress) {}
    package func release(_ address: IPAddress) {}
    package func hasLost(anyOf held: [IPAddress]) -> Bool { false }
    package func serve(ports: [UInt16]) {}
}
