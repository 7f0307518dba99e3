import CLinux
import Glibc

/// What a descriptor is ready for, or waits for.
package struct Readiness: OptionSet, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }
    package static let read = Readiness(rawValue: EPOLLIN.rawValue)
    package static let write = Readiness(rawValue: EPOLLOUT.rawValue)
    package static let peerClosed = Readiness(rawValue: EPOLLRDHUP.rawValue)
    package static let hangUp = Readiness(rawValue: EPOLLHUP.rawValue)
    package static let error = Readiness(rawValue: EPOLLERR.rawValue)
    package static let edgeTriggered = Readiness(rawValue: EPOLLET.rawValue)
}

/// One epoll instance with its event buffer; one thread waits on it.
package struct Poller: ~Copyable {
    private let descriptor: FileDescriptor
    private let events: UnsafeMutableBufferPointer<epoll_event>

    package init(capacity: Int = 256) throws(SystemError) {
        let raw = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard raw >= 0 else { throw SystemError("epoll_create1") }
        descriptor = FileDescriptor(owning: raw)
        events = .allocate(capacity: capacity)
        events.initialize(repeating: epoll_event())
    }

    deinit { events.deallocate() }

    /// Watches `target`; `token` comes back with each of its events.
    package borrowing func add(_ target: Int32, _ interest: Readiness, token: UInt64) throws(SystemError) {
        try control(EPOLL_CTL_ADD, target, interest, token)
    }

    package borrowing func modify(_ target: Int32, _ interest: Readiness, token: UInt64) throws(SystemError) {
        try control(EPOLL_CTL_MOD, target, interest, token)
    }

    package borrowing func remove(_ target: Int32) {
        var unused = epoll_event()
        _ = epoll_ctl(descriptor.raw, EPOLL_CTL_DEL, target, &unused)
    }

    /// Waits at most `timeoutMilliseconds` (-1: without end) and returns how many events can be read with
    /// `event(_:)`. A signal counts as no event.
    package borrowing func wait(timeoutMilliseconds: Int32) throws(SystemError) -> Int {
        let count = epoll_wait(descriptor.raw, events.baseAddress!, Int32(events.count), timeoutMilliseconds)
        if count < 0 {
            if errno == EINTR { return 0 }
            throw SystemError("epoll_wait")
        }
        return Int(count)
    }

    @inline(__always)
    package borrowing func event(_ index: Int) -> (token: UInt64, readiness: Readiness) {
        let event = events[index]
        return (event.data.u64, Readiness(rawValue: event.events))
    }

    private borrowing func control(
        _ operation: Int32, _ target: Int32, _ interest: Readiness, _ token: UInt64
    ) throws(SystemError) {
        var event = epoll_event(events: interest.rawValue, data: epoll_data_t(u64: token))
        guard epoll_ctl(descriptor.raw, operation, target, &event) == 0 else { throw SystemError("epoll_ctl") }
    }
}
