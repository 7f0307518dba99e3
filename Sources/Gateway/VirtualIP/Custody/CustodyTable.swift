import CLinux
import Glibc
import Posix
import Synchronization

/// What a gateway tells its guard of the connections in the guard's custody, in memory that both see. The gateway writes,
/// and says nothing while a connection is busy: the guard finds by the kernel's own count whether it was.
package final class CustodyTable: @unchecked Sendable {
    /// One connection's place. Zero everywhere when there is none.
    private struct Entry: ~Copyable {
        let generation: Atomic<UInt64>
        let consumed: Atomic<UInt64>
    }

    package let capacity: Int
    private let descriptor: FileDescriptor
    private let entries: UnsafeMutablePointer<Entry>

    private static let capacityLimit = 1 << 24

    /// Memory for `capacity` connections; what is never used takes none.
    package convenience init(capacity: Int) throws(SystemError) {
        precondition(1...Self.capacityLimit ~= capacity, "capacity out of range")
        let raw = clinux_memfd("gwnode-custody")
        guard raw >= 0 else { throw SystemError("make shared memory") }
        let memory = FileDescriptor(owning: raw)
        guard ftruncate(memory.raw, capacity * MemoryLayout<Entry>.stride) == 0 else {
            throw SystemError("make shared memory")
        }
        try self.init(memory: memory)
    }

    /// The memory behind a descriptor that another process passed.
    package init(memory: consuming FileDescriptor) throws(SystemError) {
        var status = stat()
        guard fstat(memory.raw, &status) == 0 else { throw SystemError("use shared memory") }
        capacity = Int(status.st_size) / MemoryLayout<Entry>.stride
        guard 1...Self.capacityLimit ~= capacity else { throw SystemError("use shared memory", code: EINVAL) }
        let bytes = capacity * MemoryLayout<Entry>.stride
        let address = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory.raw, 0)
        guard let address, address != MAP_FAILED else { throw SystemError("use shared memory") }
        entries = address.bindMemory(to: Entry.self, capacity: capacity)
        descriptor = memory
    }

    deinit { munmap(entries, capacity * MemoryLayout<Entry>.stride) }

    /// For another process.
    package var raw: Int32 { descriptor.raw }

    /// The connection is at rest; of its input `consumed` bytes have been taken from the kernel.
    package func rest(_ place: Int, generation: UInt64, consumed: UInt64) {
        entries[place].consumed.store(consumed, ordering: .relaxed)
        entries[place].generation.store(generation, ordering: .releasing)
    }

    /// The connection is not in custody any more.
    package func clear(_ place: Int) { entries[place].generation.store(0, ordering: .releasing) }

    package func generation(_ place: Int) -> UInt64 { entries[place].generation.load(ordering: .acquiring) }

    package func consumed(_ place: Int) -> UInt64 { entries[place].consumed.load(ordering: .relaxed) }
}
