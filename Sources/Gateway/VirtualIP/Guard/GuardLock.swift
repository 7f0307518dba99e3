import Glibc
import Posix

/// One guard at a time works on an interface: two would undo each other's work.
package struct GuardLock: ~Copyable {
    private let name: ExclusiveName

    /// Waits for the guard of a gateway that ended just now. One that does not end, because it is stopped, is killed, if
    /// `gateway` is the one to which the interface belongs: nobody is served by another guard then.
    package init(interface: String, gateway: pid_t) throws(VirtualIPError) {
        let key = "gwnode-guard-\(interface)"
        if let name = ExclusiveName(key, patience: ExclusiveName.patience) {
            self.name = name
            return
        }
        let owner = ExclusiveName.owner(of: key)
        guard let owner, owner > 0, InterfaceClaim.owner(of: interface) == gateway else {
            throw Self.refusal(of: interface, owner)
        }
        Log.warning("guard: the former guard, pid \(owner), has lost its gateway and does not end; it is killed")
        _ = kill(owner, SIGKILL)
        guard let name = ExclusiveName(key, patience: ExclusiveName.patience) else {
            throw Self.refusal(of: interface, ExclusiveName.owner(of: key))
        }
        self.name = name
    }

    private static func refusal(of interface: String, _ owner: pid_t?) -> VirtualIPError {
        VirtualIPError(
            "another guard, process \(owner ?? 0), keeps the addresses of \(interface)",
            cure: "end the gateway that it belongs to")
    }
}
