import Glibc
import Testing

/// Runs tests of this process once more in user and network namespaces of their own, where they may change
/// addresses without being root.
enum Namespace {
    enum Privilege: String {
        /// Root of the namespace.
        case root
        case none
    }

    private static let variable = "GWNODE_TEST_NAMESPACE"

    /// Whether this process was started in a namespace with this privilege.
    static func isInside(_ privilege: Privilege) -> Bool {
        getenv(variable).map { String(cString: $0) } == privilege.rawValue
    }

    /// What is missing for namespaces on this machine, nil when nothing is.
    static let obstacle: String? = {
        guard let unshare = Program.find("unshare") else { return "unshare (util-linux) is not installed" }
        guard Program.find("ip") != nil else { return "ip (iproute2) is not installed" }
        let attempt = try? Program.run([unshare, "--user", "--map-root-user", "--net", "true"])
        return attempt?.exitStatus == 0 ? nil : "this machine does not permit user and network namespaces"
    }()

    /// Runs the tests whose identifiers match `filter` inside; a failure there is one here, with its output.
    static func run(filter: String, _ privilege: Privilege) throws {
        let mapping = privilege == .root ? ["--map-root-user"] : []
        let outcome = try Program.run(
            [Program.find("unshare")!, "--user"] + mapping + ["--net", "--", "/proc/self/exe".resolved]
                + ["--testing-library", "swift-testing", "--filter", filter],
            environment: [variable: privilege.rawValue])
        #expect(outcome.exitStatus == 0, "\(outcome.output)")
        #expect(outcome.output.contains(/Test run with [1-9]/), "nothing ran: \(outcome.output)")
    }
}

extension String {
    /// The target of a symbolic link.
    fileprivate var resolved: String {
        guard let path = realpath(self, nil) else { return self }
        defer { free(path) }
        return String(cString: path)
    }
}
