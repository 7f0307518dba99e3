import CLinux
import Glibc

/// A moment of CLOCK_BOOTTIME, in nanoseconds since boot.
///
/// Leases are counted on this clock: unlike CLOCK_MONOTONIC it goes on while the machine is suspended, so a
/// lease can not outlive a suspended virtual machine. Pure cores get instants as data and never ask for one.
package struct Instant: Hashable, Comparable, Sendable, CustomStringConvertible {
    package var nanoseconds: UInt64

    package init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    package static let zero = Instant(nanoseconds: 0)
    package static let distantFuture = Instant(nanoseconds: .max)

    package static func now() -> Instant {
        var value = timespec()
        clock_gettime(CLOCK_BOOTTIME, &value)
        return Instant(nanoseconds: UInt64(value.tv_sec) &* 1_000_000_000 &+ UInt64(value.tv_nsec))
    }

    package static func < (left: Instant, right: Instant) -> Bool { left.nanoseconds < right.nanoseconds }

    /// Saturates at both ends: `distantFuture` plus anything stays `distantFuture`.
    package static func + (left: Instant, right: Nanoseconds) -> Instant {
        let (sum, overflow) = left.nanoseconds.addingReportingOverflow(right.count)
        return Instant(nanoseconds: overflow ? .max : sum)
    }

    package static func - (left: Instant, right: Nanoseconds) -> Instant {
        Instant(nanoseconds: left.nanoseconds > right.count ? left.nanoseconds - right.count : 0)
    }

    /// The time from `right` to `left`; zero when `right` is the later one.
    package static func - (left: Instant, right: Instant) -> Nanoseconds {
        Nanoseconds(left.nanoseconds > right.nanoseconds ? left.nanoseconds - right.nanoseconds : 0)
    }

    package var description: String { "\(nanoseconds)ns" }
}

/// A length of time that is never negative. One machine word: `Duration` of the standard library takes two and
/// its arithmetic is too slow for the request path.
package struct Nanoseconds: Hashable, Comparable, Sendable, CustomStringConvertible {
    package var count: UInt64

    package init(_ count: UInt64) { self.count = count }

    package static let zero = Nanoseconds(0)
    package static func microseconds(_ count: UInt64) -> Nanoseconds { Nanoseconds(count * 1_000) }
    package static func milliseconds(_ count: UInt64) -> Nanoseconds { Nanoseconds(count * 1_000_000) }
    package static func seconds(_ count: UInt64) -> Nanoseconds { Nanoseconds(count * 1_000_000_000) }

    package var milliseconds: Double { Double(count) / 1e6 }
    package var seconds: Double { Double(count) / 1e9 }

    package static func < (left: Nanoseconds, right: Nanoseconds) -> Bool { left.count < right.count }
    package static func + (left: Nanoseconds, right: Nanoseconds) -> Nanoseconds {
        Nanoseconds(left.count + right.count)
    }
    /// Saturates at zero.
    package static func - (left: Nanoseconds, right: Nanoseconds) -> Nanoseconds {
        Nanoseconds(left.count > right.count ? left.count - right.count : 0)
    }
    package static func * (left: Nanoseconds, right: UInt64) -> Nanoseconds { Nanoseconds(left.count * right) }
    package static func / (left: Nanoseconds, right: UInt64) -> Nanoseconds { Nanoseconds(left.count / right) }

    package var description: String {
        count < 1_000_000_000 ? "\(Double(count / 1_000) / 1e3)ms" : "\(Double(count / 1_000_000) / 1e3)s"
    }
}

/// The calendar's time, for people and for stamps; never for deciding anything.
package struct WallTime: Hashable, Comparable, Sendable, CustomStringConvertible {
    package var millisecondsSince1970: Int64

    package init(millisecondsSince1970: Int64) { self.millisecondsSince1970 = millisecondsSince1970 }

    package static func now() -> WallTime {
        var value = timespec()
        clock_gettime(CLOCK_REALTIME, &value)
        return WallTime(millisecondsSince1970: Int64(value.tv_sec) * 1000 + Int64(value.tv_nsec) / 1_000_000)
    }

    package static func < (left: WallTime, right: WallTime) -> Bool {
        left.millisecondsSince1970 < right.millisecondsSince1970
    }

    /// RFC 3339 in UTC with milliseconds: `2026-11-22T13:07:05.123Z`.
    package var description: String {
        var seconds = time_t(millisecondsSince1970 / 1000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        func padded(_ value: Int32, _ width: Int) -> String {
            let digits = String(value)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        let date = "\(padded(parts.tm_year + 1900, 4))-\(padded(parts.tm_mon + 1, 2))-\(padded(parts.tm_mday, 2))"
        let clock = "\(padded(parts.tm_hour, 2)):\(padded(parts.tm_min, 2)):\(padded(parts.tm_sec, 2))"
        return "\(date)T\(clock).\(padded(Int32(millisecondsSince1970 % 1000), 3))Z"
    }
}
