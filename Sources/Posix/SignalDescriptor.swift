import CLinux
import Glibc

/// A signalfd: signals as events of a poller, so that they are handled in order and by one thread.
package struct SignalDescriptor: ~Copyable, Sendable {
    private let descriptor: FileDescriptor

    /// Blocks `signals` in the calling thread and in all that it starts afterwards; call it before any other
    /// thread runs.
    package init(_ signals: [Int32]) throws(SystemError) {
        var set = sigset_t()
        sigemptyset(&set)
        for signal in signals { sigaddset(&set, signal) }
        let code = pthread_sigmask(SIG_BLOCK, &set, nil)
        guard code == 0 else { throw SystemError("pthread_sigmask", code: code) }
        let raw = signalfd(-1, &set, Int32(SFD_CLOEXEC) | Int32(SFD_NONBLOCK))
        guard raw >= 0 else { throw SystemError("signalfd") }
        descriptor = FileDescriptor(owning: raw)
    }

    package var raw: Int32 { descriptor.raw }

    /// The next signal that has arrived, nil when there is none.
    package borrowing func next() -> Int32? {
        var information = signalfd_siginfo()
        let size = MemoryLayout<signalfd_siginfo>.size
        guard read(descriptor.raw, &information, size) == size else { return nil }
        return Int32(information.ssi_signo)
    }
}

/// Makes writing to a closed connection an error instead of the end of the process.
package func ignoreBrokenPipes() { signal(SIGPIPE, SIG_IGN) }
