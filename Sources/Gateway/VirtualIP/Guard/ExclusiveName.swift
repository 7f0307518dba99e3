import CLinux
import Glibc
import Posix

/// A name that one process of a network namespace has at a time: an abstract Unix address, which the kernel frees with
/// the last descriptor of it, however its owner ends. Others can ask which process that is.
struct ExclusiveName: ~Copyable {
    /// Of those who asked for the owner and were not dismissed; whoever asks beyond them learns nothing.
    private static let questions: Int32 = 4096
    /// What a process that was ended may take until its name is free.
    static let patience = Nanoseconds.seconds(2)
    private static let retryMilliseconds: Int32 = 5

    private let descriptor: FileDescriptor

    /// Nil when somebody else has it.
    init?(_ name: String) {
        guard let socket = Self.socket() else { return nil }
        guard AbstractAddress(name).with({ bind(socket.raw, $0, $1) }) == 0, listen(socket.raw, Self.questions) == 0
        else { return nil }
        descriptor = socket
    }

    /// Waits for an owner that is about to end; nil when somebody still has it after `patience`.
    init?(_ name: String, patience: Nanoseconds) {
        let deadline = Instant.now() + patience
        while true {
            if let taken = ExclusiveName(name) {
                self = taken
                return
            }
            if Instant.now() > deadline { return nil }
            _ = poll(nil, 0, Self.retryMilliseconds)
        }
    }

    /// Goes on with what another process had. From now on this one is the owner that others are told of.
    init(adopting raw: Int32) {
        descriptor = FileDescriptor(owning: raw)
        _ = listen(raw, Self.questions)
    }

    var raw: Int32 { descriptor.raw }

    /// Lets those go who have asked.
    borrowing func dismissQuestions() {
        while true {
            let raw = clinux_accept(descriptor.raw, nil, nil)
            if raw < 0 { return }
            close(raw)
        }
    }

    /// The process that has `name`; 0 for one of another container, nil when nobody has it.
    static func owner(of name: String) -> pid_t? {
        guard let socket = socket(), AbstractAddress(name).with({ connect(socket.raw, $0, $1) }) == 0 else {
            return nil
        }
        let pid = clinux_peer_pid(socket.raw)
        return pid >= 0 ? pid : nil
    }

    private static func socket() -> FileDescriptor? {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let raw = Glibc.socket(AF_UNIX, type, 0)
        return raw >= 0 ? FileDescriptor(owning: raw) : nil
    }
}
