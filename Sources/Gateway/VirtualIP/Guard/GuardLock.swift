import Glibc
import Posix

/// One guard at a time works on an interface: two would undo each other's work.
package struct GuardLock: ~Copyable {
    private static let patience = Nanoseconds.seconds(2)
    private static let retryMilliseconds: Int32 = 5

    private let name: ExclusiveName

    /// Waits for the guard of a gateway that ended just now. One that does not end, because it is stopped, is killed, if
    /// `gateway` is the one to which the interface belongs: nobody is served by another guard then.
    package init(interface: String, gateway: pid_t) throws(VirtualIPError) {
        let key = "gwnode-guard-\(interface)"
        var deadline = Instant.now() + Self.patience
        var hasKilled = false
        while true {
            if let name = ExclusiveName(key) {
                self.name = name
                return
            }
            if Instant.now() > deadline {
                let owner = ExclusiveName.owner(of: key)
                guard !hasKilled, let owner, owner > 0, InterfaceClaim.owner(of: interface) == gateway else {
                    throw VirtualIPError(
                        "another guard, process \(owner ?? 0), keeps the addresses of \(interface)",
                        cure: "end the gateway that it belongs to")
                }
                Log.warning(
                    "guard: the former guard, pid \(owner), has lost its gateway and does not end; it is killed")
                hasKilled = true
                deadline = .now() + Self.patience
                _ = kill(owner, SIGKILL)
            }
            _ = poll(nil, 0, Self.retryMilliseconds)
        }
    }
}
