import Glibc
import Posix

/// Runs tests of this process once more in namespaces of their own, where they may change addresses, interfaces and
/// mounts without being root.
package enum Namespace {
    package enum Privilege: String {
        /// Root of user, network, mount and process namespaces.
        case root
        case none
    }

    private static let variable = "GWNODE_TEST_NAMESPACE"
    private static let rootOptions = [
        "--user", "--map-root-user", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
    ]
    private static let plainOptions = ["--user", "--net"]

    /// Whether this process was started in a namespace with this privilege.
    package static func isInside(_ privilege: Privilege) -> Bool {
        getenv(variable).map { String(cString: $0) } == privilege.rawValue
    }

    /// What is missing for namespaces on this machine, nil when nothing is.
    package static let obstacle: String? = {
        if getenv(variable) != nil { return "this process runs in a namespace already" }
        for (name, package) in [
            ("unshare", "util-linux"), ("nsenter", "util-linux"), ("ip", "iproute2"), ("nft", "nftables"),
        ]
        where Program.find(name) == nil {
            return "\(name) is not installed (package \(package))"
        }
        let attempt = try? Program.run("unshare", rootOptions + ["true"])
        return attempt?.succeeded == true ? nil : "this machine does not permit user and network namespaces"
    }()

    /// Runs the tests whose identifiers match `filter` inside.
    package static func run(filter: String, _ privilege: Privilege) throws(SystemError) -> Program.Outcome {
        guard let executable = executablePath() else { throw SystemError("find the executable of the tests") }
        let options =
            switch privilege {
            case .root: rootOptions
            case .none: plainOptions
            }
        return try Program.run(
            "unshare", options + ["--", executable, "--testing-library", "swift-testing", "--filter", filter],
            environment: ["\(variable)=\(privilege.rawValue)"])
    }
}
