import CLinux
import Gateway
import Glibc
import Posix
import Synchronization
import Testing

/// What the end of an engine does to descriptors.
@Suite struct EngineEndTests {
    /// An engine that ends before it has told of a connection's end. What has that descriptor's number by then is not its own.
    @Test(arguments: [EngineChoice.ioUring, .epoll])
    func whatWasClosedBehindTheLastSendIsNotClosedAgain(_ engine: EngineChoice) throws {
        var ends: [Int32] = [0, 0]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
        let far = FarEnd(ends[1])
        // Far above what other tests get beside this one.
        let raw = fcntl(ends[0], F_DUPFD_CLOEXEC, try Self.highNumber(engine == .epoll ? 6 : 7))
        close(ends[0])
        try #require(raw >= 0)
        _ = fcntl(raw, F_SETFL, O_NONBLOCK)
        let isOpen = Mutex<Bool?>(nil)
        // The end of a ring interrupts the thread that made it.
        let thread = try Posix.Thread(name: "engine") {
            let result: Bool? =
                switch engine {
                case .ioUring: RingEngine.obstacle() == nil ? Self.isLeftOpen(RingEngine.self, raw) : true
                case .epoll, .auto: Self.isLeftOpen(EpollEngine.self, raw)
                }
            isOpen.withLock { $0 = result }
        }
        thread.join()
        #expect(isOpen.withLock { $0 } == true)
        withExtendedLifetime(far) {}
    }

    private static func highNumber(_ eighths: rlim_t) throws -> Int32 {
        var limit = rlimit()
        try #require(getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
        return Int32(min(limit.rlim_cur, 100_000) / 8 * eighths)
    }

    /// Whether a descriptor that gets the number after the close is there after the engine. Nil: it could not be tried.
    private static func isLeftOpen<E: Engine & ~Copyable>(_ type: E.Type, _ raw: Int32) -> Bool? {
        guard let wake = try? WakeEvent(), end(type, raw, wake.raw) else { return nil }
        defer { close(raw) }
        return fcntl(raw, F_GETFD) >= 0
    }

    private static func end<E: Engine & ~Copyable>(_ type: E.Type, _ raw: Int32, _ wake: Int32) -> Bool {
        do {
            var engine = try E(capacity: 4, clients: 2, wake: wake, memory: MemoryLimits())
            try engine.adopt(raw, as: Slot(0))
            _ = Array("the last".utf8).withUnsafeBytes { engine.send(Slot(0), $0) }
            engine.closeWhenSent(Slot(0))
            engine.stop()
            guard fcntl(raw, F_GETFD) < 0, fcntl(wake, F_DUPFD_CLOEXEC, raw) == raw else { return false }
            _ = consume engine
            return true
        } catch {
            return false
        }
    }
}
