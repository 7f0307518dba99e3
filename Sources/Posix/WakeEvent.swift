import CLinux
import Glibc

/// An eventfd: any thread wakes the one thread that polls it.
package struct WakeEvent: ~Copyable, Sendable {
    private let descriptor: FileDescriptor

    package init() throws(SystemError) {
        let raw = eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK))
        guard raw >= 0 else { throw SystemError("eventfd") }
        descriptor = FileDescriptor(owning: raw)
    }

    package var raw: Int32 { descriptor.raw }

    package borrowing func signal() {
        var one: UInt64 = 1
        _ = write(descriptor.raw, &one, 8)
    }

    package borrowing func clear() {
        var count: UInt64 = 0
        _ = read(descriptor.raw, &count, 8)
    }
}

/// A timerfd on CLOCK_BOOTTIME, precise below the millisecond that epoll_wait offers.
package struct TimerDescriptor: ~Copyable {
    private let descriptor: FileDescriptor

    package init() throws(SystemError) {
        let raw = timerfd_create(CLOCK_BOOTTIME, Int32(TFD_CLOEXEC) | Int32(TFD_NONBLOCK))
        guard raw >= 0 else { throw SystemError("timerfd_create") }
        descriptor = FileDescriptor(owning: raw)
    }

    package var raw: Int32 { descriptor.raw }

    /// Fires once at `instant`, at once when that has passed; `distantFuture` disarms.
    package borrowing func arm(at instant: Instant) {
        var setting = itimerspec()
        if instant != .distantFuture {
            let nanoseconds = max(instant.nanoseconds, 1)
            setting.it_value.tv_sec = Int(nanoseconds / 1_000_000_000)
            setting.it_value.tv_nsec = Int(nanoseconds % 1_000_000_000)
        }
        timerfd_settime(descriptor.raw, Int32(TFD_TIMER_ABSTIME), &setting, nil)
    }

    package borrowing func clear() {
        var count: UInt64 = 0
        _ = read(descriptor.raw, &count, 8)
    }
}
