/// Which process a guard is, and of which version its program. It may be older than its gateway's: an upgrade leaves the
/// guard as it is.
package struct GuardIdentity: Codable, Hashable, Sendable {
    package var pid: Int32
    package var version: String

    package init(pid: Int32, version: String) {
        self.pid = pid
        self.version = version
    }
}
