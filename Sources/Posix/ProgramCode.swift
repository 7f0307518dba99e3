import Glibc

/// The code of this process and of the libraries that it is linked with.
package enum ProgramCode {
    /// Takes it out of this process's memory. What runs again comes back page by page, out of the page cache, within
    /// microseconds; what only the start needed does not, and with it a third of a small node's resident memory.
    package static func release() throws(SystemError) {
        for range in ranges(in: try readFile("/proc/self/maps", limit: 4 << 20)) {
            // Refused where memory is locked, which then is meant to stay.
            _ = madvise(UnsafeMutableRawPointer(bitPattern: range.lowerBound), range.count, MADV_DONTNEED)
        }
    }

    /// Of proc_pid_maps(5), the ranges that are mapped from a file and can only be read and executed: no page of them was
    /// ever written, so each is still as it is in the file.
    static func ranges(in maps: [UInt8]) -> [Range<UInt>] {
        maps.split(separator: UInt8(ascii: "\n")).compactMap { line in
            let fields = String(decoding: line, as: UTF8.self).split(separator: " ", maxSplits: 5)
            guard fields.count == 6, fields[1] == "r-xp", fields[5].drop(while: { $0 == " " }).hasPrefix("/") else {
                return nil
            }
            let bounds = fields[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
            return bounds.count == 2 && bounds[0] < bounds[1] ? bounds[0]..<bounds[1] : nil
        }
    }
}
