import CLinux
import Glibc
import Posix

/// What this process takes of the machine.
package struct ProcessUsage: Hashable, Sendable {
    package var processorTime: Nanoseconds
    package var residentBytes: Int
    package var openDescriptors: Int
    package var maximumDescriptors: UInt64
    package var startedAt: WallTime

    package init(
        processorTime: Nanoseconds, residentBytes: Int, openDescriptors: Int, maximumDescriptors: UInt64,
        startedAt: WallTime
    ) {
        self.processorTime = processorTime
        self.residentBytes = residentBytes
        self.openDescriptors = openDescriptors
        self.maximumDescriptors = maximumDescriptors
        self.startedAt = startedAt
    }

    /// As the kernel has it now; what can not be read is 0.
    package static func current(startedAt: WallTime) -> ProcessUsage {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        return ProcessUsage(
            processorTime: duration(usage.ru_utime) + duration(usage.ru_stime), residentBytes: residentBytes(),
            openDescriptors: openDescriptors(), maximumDescriptors: UInt64(limit.rlim_cur),
            startedAt: startedAt)
    }

    private static func duration(_ time: timeval) -> Nanoseconds {
        .seconds(UInt64(time.tv_sec)) + .microseconds(UInt64(time.tv_usec))
    }

    /// The second number of statm(5), in pages.
    private static func residentBytes() -> Int {
        let descriptor = open("/proc/self/statm", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return 0 }
        let file = FileDescriptor(owning: descriptor)
        var buffer = [UInt8](repeating: 0, count: 256)
        let count = read(file.raw, &buffer, buffer.count)
        let numbers = String(decoding: buffer[..<max(0, count)], as: UTF8.self).split(separator: " ")
        return numbers.count > 1 ? (Int(numbers[1]) ?? 0) * sysconf(Int32(_SC_PAGESIZE)) : 0
    }

    /// Linux has the number as the size of the directory since 6.2; to count tens of thousands of entries takes long.
    private static func openDescriptors() -> Int {
        let directory = "/proc/self/fd"
        var status = stat()
        if stat(directory, &status) == 0, status.st_size > 0 { return Int(status.st_size) }
        guard let stream = opendir(directory) else { return 0 }
        defer { closedir(stream) }
        var count = 0
        while readdir(stream) != nil { count += 1 }
        // Without `.`, `..` and the descriptor of this very stream.
        return max(0, count - 3)
    }
}
