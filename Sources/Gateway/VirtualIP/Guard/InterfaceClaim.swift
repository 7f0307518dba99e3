import Glibc
import Posix

/// One gateway at a time keeps addresses on an interface: two would take each other's addresses off and close each other's
/// gates. The claim is the gateway's, not its guard's: it goes along with an upgrade and ends with the gateway, so a guard
/// that is there without it has nobody to serve.
package final class InterfaceClaim: Sendable {
    private let name: ExclusiveName

    /// Waits for a gateway that ended just now.
    package init(of interface: String, patience: Nanoseconds = ExclusiveName.patience) throws(VirtualIPError) {
        guard let name = ExclusiveName(Self.name(of: interface), patience: patience) else {
            throw Self.refusal(of: interface)
        }
        self.name = name
    }

    /// Goes on with the claim of a former process of this node.
    package init(adopting raw: Int32) { name = ExclusiveName(adopting: raw) }

    /// Readable while somebody waits to be dismissed.
    var raw: Int32 { name.raw }

    /// To be called now and then: others ask who has the interface, and are not answered by anything but that.
    func dismissQuestions() { name.dismissQuestions() }

    /// The gateway that has the interface; 0 for one of another container, nil for none.
    package static func owner(of interface: String) -> pid_t? { ExclusiveName.owner(of: name(of: interface)) }

    private static func refusal(of interface: String) -> VirtualIPError {
        let owner =
            switch owner(of: interface) {
            case nil: "another gateway"
            case 0?: "a gateway of another container"
            case let pid?: "another gateway, process \(pid)"
            }
        return VirtualIPError(
            "\(owner), keeps the virtual addresses of \(interface)",
            cure:
                "a machine runs one gateway for each interface: end one of them, or set virtualAddress.interface to an "
                + "interface of its own")
    }

    private static func name(of interface: String) -> String { "gwnode-gateway-\(interface)" }
}
