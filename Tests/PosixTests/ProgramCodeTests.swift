import Glibc
import Testing

@testable import Posix

@Suite struct ProgramCodeTests {
    /// Lines of proc_pid_maps(5), of which only the first is code that can not have been written to.
    @Test func codeOfFilesIsFound() {
        let maps = """
            55d0a000-55d0c000 r-xp 00002000 fd:00 1311 /usr/bin/a b
            55d0c000-55d0d000 r--p 00004000 fd:00 1311 /usr/bin/a b
            55d0d000-55d0e000 rw-p 00005000 fd:00 1311 /usr/bin/a b
            55d0e000-55d0f000 rwxp 00006000 fd:00 1311 /usr/bin/a b
            55d10000-55d11000 r-xp 00000000 00:00 0
            55d12000-55d13000 r-xs 00000000 fd:00 1311 /usr/bin/a b
            7ffe0000-7ffe1000 r-xp 00000000 00:00 0    [vdso]
            nonsense r-xp 00002000 fd:00 1311 /usr/bin/a
            """
        #expect(ProgramCode.ranges(in: Array(maps.utf8)) == [0x55d0a000..<0x55d0c000])
        #expect(ProgramCode.ranges(in: []) == [])
    }

    @Test func codeLeavesMemoryAndWhatWasWrittenStays() throws {
        let pages = 64
        let code = try Mapping(pages: pages, PROT_READ | PROT_EXEC)
        let data = try Mapping(pages: pages, PROT_READ | PROT_WRITE)
        let first = code.start.load(as: UInt64.self)
        data.start.storeBytes(of: ~first, as: UInt64.self)
        #expect(code.isMapped)
        try ProgramCode.release()
        #expect(!code.isMapped)
        #expect(code.start.load(as: UInt64.self) == first)
        #expect(data.start.load(as: UInt64.self) == ~first)
    }
}

/// Of this program's own file.
private final class Mapping {
    let start: UnsafeMutableRawPointer
    private let size: Int

    init(pages: Int, _ protection: Int32) throws {
        size = pages * sysconf(Int32(_SC_PAGESIZE))
        let file = FileDescriptor(owning: open("/proc/self/exe", O_RDONLY | O_CLOEXEC))
        let mapped = mmap(nil, size, protection, MAP_PRIVATE, file.raw, 0)
        start = try #require(mapped != MAP_FAILED ? mapped : nil)
    }

    deinit { munmap(start, size) }

    /// Whether its first page is in this process's memory, by proc_pid_pagemap(5).
    var isMapped: Bool {
        let file = FileDescriptor(owning: open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC))
        var entry: UInt64 = 0
        let page = Int(bitPattern: start) / sysconf(Int32(_SC_PAGESIZE))
        let count = pread(file.raw, &entry, MemoryLayout<UInt64>.size, off_t(page * MemoryLayout<UInt64>.size))
        return count == MemoryLayout<UInt64>.size && entry >> 63 == 1
    }
}
