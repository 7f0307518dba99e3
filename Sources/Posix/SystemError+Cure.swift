import Glibc

extension SystemError {
    /// What the operator can do about it, in a few words; for the end of a message.
    package var cure: String {
        switch code {
        case EADDRINUSE: "stop what listens there (see `ss -lxtnp`), or choose another address, port or path"
        case EADDRNOTAVAIL: "choose an address of this machine (see `ip address`)"
        case EACCES, EPERM: isAboutPort ? privilegeCure : "give this user the right to it"
        case EMFILE, ENFILE: "raise the limit of open files (`ulimit -n`)"
        case ENOTSOCK: "what is there is no socket: remove it, or choose another path"
        case ENOENT: "check the path"
        case EISDIR: "name a file, not a directory"
        case ENOTDIR: "check the path: a part of it is no directory"
        case EFBIG: "it is larger than anything that belongs here; check the path"
        case ENOSPC, EDQUOT: "make room on the disk"
        case EROFS: "the file system is read-only; choose another place"
        default: "see the kernel's log (`dmesg`) and the limits of the process"
        }
    }

    private var isAboutPort: Bool { operation == "bind" && SocketAddress(subject) != nil }

    private var privilegeCure: String { "use a port from 1024 up, or give the process CAP_NET_BIND_SERVICE" }
}
