import Glibc
import Posix
import Synchronization

/// What a worker begins with. It is made on its own thread: the kernel ties an io_uring to the thread that sets it up, and
/// would later interrupt that thread's blocking calls.
struct WorkerStart: Sendable {
    let handle: WorkerHandle
    let peers: [WorkerHandle]
    let options: ProxyOptions
    let table: RoutingTable
    let admission: ClientAdmission
    let accessLog: AccessLogQueue?

    func run<E: Engine & ~Copyable>(_ engine: E.Type, _ answer: WorkerAnswer) {
        // A splice to a closed socket, unlike a send, can not be told not to raise it.
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGPIPE)
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        do throws(SystemError) {
            // Random choices of the workers have to differ.
            let seed = UInt64.random(in: 0 ... .max)
            var worker = try Worker<E>(
                handle: handle, peers: peers, options: options, table: table, admission: admission,
                accessLog: accessLog, seed: seed)
            answer.give(nil)
            worker.run()
            handle.hasEnded.store(true, ordering: .releasing)
        } catch {
            answer.give(error)
        }
    }
}

/// Whether a thread could begin.
final class WorkerAnswer: Sendable {
    private let error = Mutex<SystemError?>(nil)
    private let isThere: WakeEvent

    init() throws(SystemError) { isThere = try WakeEvent() }

    func give(_ error: SystemError?) {
        self.error.withLock { $0 = error }
        isThere.signal()
    }

    func wait() -> SystemError? {
        var event = pollfd(fd: isThere.raw, events: Int16(POLLIN), revents: 0)
        while poll(&event, 1, -1) < 0 && errno == EINTR {}
        return error.withLock { $0 }
    }
}
