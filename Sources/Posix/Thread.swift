import CLinux
import Glibc

/// A named operating-system thread.
package final class Thread: @unchecked Sendable {
    private final class Start {
        let name: String
        let body: @Sendable () -> Void
        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }

    private let handle: pthread_t

    /// Starts `body`; `name` is what `top -H` shows (15 bytes at most).
    package init(name: String, stackBytes: Int = 1 << 20, _ body: @escaping @Sendable () -> Void) throws(SystemError) {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setstacksize(&attributes, stackBytes)
        let start = Unmanaged.passRetained(Start(name: name, body: body))
        var created = pthread_t()
        let code = pthread_create(&created, &attributes, Thread.main, start.toOpaque())
        guard code == 0 else {
            start.release()
            throw SystemError("start thread", name, code: code)
        }
        handle = created
    }

    /// Lets the thread end by itself, in place of `join`.
    package func detach() { pthread_detach(handle) }

    /// Waits for the body to return. Call at most once.
    package func join() { pthread_join(handle, nil) }

    private static let main: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { argument in
        let start = Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue()
        clinux_name_thread(start.name)
        start.body()
        return nil
    }
}

/// The processors that this process may use.
package func processorCount() -> Int { max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))) }
