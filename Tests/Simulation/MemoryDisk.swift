import Glibc
import Posix
import Raft
import Synchronization

/// A disk in memory that knows what is durable, and stops, fails, tears and rots as it is told to.
package final class MemoryDisk: Disk {
    package struct File: Sendable {
        fileprivate let inode: Int
    }

    /// What becomes of the writes that no sync has covered when the machine loses its power.
    package enum Tear: Hashable, Sendable {
        case nothingWritten
        case everythingWritten
        /// Of the last write only the first bytes arrive, of those before all.
        case prefix(Int)
        /// The last write arrives without the sectors whose bit is set, counted from its first one.
        case missingSectors(UInt64)
        /// Each sector of each write, and each change of a name, arrives or does not.
        case drawn(SplitMix64)
    }

    private let state: Mutex<DiskState>

    package init() { state = Mutex(DiskState()) }

    private init(_ copied: DiskState) { state = Mutex(copied) }

    // MARK: Faults

    /// The machine stops before the operation after so many more; every later one fails, until `goOn`.
    package func stop(after operations: Int) { state.withLock { $0.stopsAt = $0.operations + operations } }

    /// The operation after so many more fails; those after it work. `error` is what the kernel says. A sync that fails
    /// leaves what it should have written in memory as though it were written, or drops it (Rebello et al., 2020).
    package func fail(after operations: Int, error: Int32 = EIO, dropsPages: Bool = false) {
        state.withLock { state in
            state.failsAt = state.operations + operations
            state.failure = error
            state.dropsPages = dropsPages
        }
    }

    /// No stop or failure is to come any more.
    package func goOn() {
        state.withLock { state in
            state.stopsAt = .max
            state.failsAt = .max
        }
    }

    package func losePower(_ tear: Tear, renamesArrived: Bool = true) {
        state.withLock { $0.losePower(tear, renamesArrived: renamesArrived) }
    }

    /// Turns one bit of a file the other way round. No effect where it has no such byte.
    package func flip(bit: Int, ofByte offset: Int, in path: String) {
        state.withLock { state in
            guard let inode = state.names[path], offset < state.inodes[inode].current.count else { return }
            state.inodes[inode].current[offset] ^= 1 << UInt8(bit)
            if offset < state.inodes[inode].durable.count { state.inodes[inode].durable[offset] ^= 1 << UInt8(bit) }
        }
    }

    package func lose(_ path: String) {
        state.withLock { state in
            state.names[path] = nil
            state.durableNames[path] = nil
        }
    }

    /// Another disk with the same content.
    package func copy() -> MemoryDisk {
        let copy = MemoryDisk(state.withLock { $0 })
        copy.goOn()
        return copy
    }

    // MARK: What tests look at

    /// The operations that changed anything so far.
    package var operations: Int { state.withLock { $0.operations } }

    /// The length of the longest write that is not durable.
    package var longestPending: Int {
        state.withLock { state in state.inodes.compactMap { $0.unsynced.last?.count }.max() ?? 0 }
    }

    /// The bytes of all files, as the running system sees them.
    package var files: [String: [UInt8]] {
        state.withLock { state in state.names.mapValues { state.inodes[$0].current } }
    }

    package func size(of path: String) -> Int {
        state.withLock { state in state.names[path].map { state.inodes[$0].current.count } ?? 0 }
    }

    /// Where the newest bytes are, of those that still have a name.
    package var newestWrite: (path: String, range: Range<Int>)? {
        state.withLock { state in
            guard let newest = state.newestWrite else { return nil }
            return state.names.first { $0.value == newest.inode }.map { ($0.key, newest.range) }
        }
    }

    /// In a fixed order, as is everything here: a simulation has to be repeatable.
    package var paths: [String] { state.withLock { $0.names.keys.sorted() } }

    // MARK: Disk

    package func createDirectory(_ path: String) throws(SystemError) {
        try change("mkdir", path) { _ = $0.directories.insert(path) }
    }

    package func names(in directory: String) throws(SystemError) -> [String] {
        state.withLock { state in
            let prefix = directory + "/"
            let paths = (Array(state.names.keys) + Array(state.directories)).filter { $0.hasPrefix(prefix) }
            return paths.map { String($0.dropFirst(prefix.count)) }.filter { !$0.contains("/") }.sorted()
        }
    }

    package func contents(of path: String) throws(SystemError) -> [UInt8] {
        let found = state.withLock { state in state.names[path].map { state.inodes[$0].current } }
        guard let found else { throw SystemError("open", path, code: ENOENT) }
        return found
    }

    package func create(_ path: String, reserving bytes: Int) throws(SystemError) -> File {
        var file = File(inode: 0)
        try change("create", path) { state in
            file = File(inode: state.inodes.count)
            state.inodes.append(DiskState.Inode(blank: bytes))
            state.rename([(path, file.inode)])
        }
        return file
    }

    package func open(_ path: String) throws(SystemError) -> File {
        guard let inode = state.withLock({ $0.names[path] }) else { throw SystemError("open", path, code: ENOENT) }
        return File(inode: inode)
    }

    package func write(_ bytes: [UInt8], to file: File, at offset: Int) throws(SystemError) {
        try change("write", "") { state in
            state.inodes[file.inode].write(bytes, at: offset)
            state.newestWrite = (file.inode, offset..<offset + bytes.count)
        }
    }

    package func sync(_ file: File) throws(SystemError) {
        do throws(SystemError) {
            try change("fdatasync", "") { $0.inodes[file.inode].sync() }
        } catch {
            state.withLock { state in
                if state.stopsAt > state.operations { state.inodes[file.inode].failSync(drops: state.dropsPages) }
            }
            throw error
        }
    }

    package func rename(_ old: String, to new: String) throws(SystemError) {
        try change("rename", old) { state in state.rename([(old, nil), (new, state.names[old])]) }
    }

    package func remove(_ path: String) throws(SystemError) {
        try change("remove", path) { $0.rename([(path, nil)]) }
    }

    package func syncDirectory(_ path: String) throws(SystemError) {
        try change("fsync", path) { $0.syncDirectory(path) }
    }

    private func change(_ operation: String, _ path: String, _ body: (inout DiskState) -> Void) throws(SystemError) {
        let error: Int32? = state.withLock { state in
            if state.operations >= state.stopsAt { return EIO }
            state.operations += 1
            if state.operations > state.failsAt {
                state.failsAt = .max
                return state.failure
            }
            body(&state)
            return nil
        }
        if let error { throw SystemError(operation, path, code: error) }
    }
}

/// The state of a disk in memory: what the system sees, what the platter holds, and what lies between.
private struct DiskState {
    struct Inode {
        /// As the running system sees it.
        var current: [UInt8]
        var durable: [UInt8]
        /// The writes since the last sync, in their order.
        var unsynced: [Range<Int>] = []

        init(blank bytes: Int) {
            current = [UInt8](repeating: 0, count: bytes)
            durable = current
        }

        mutating func write(_ bytes: [UInt8], at offset: Int) {
            let range = offset..<offset + bytes.count
            if current.count < range.upperBound {
                current += [UInt8](repeating: 0, count: range.upperBound - current.count)
            }
            current.replaceSubrange(range, with: bytes)
            unsynced.append(range)
        }

        mutating func sync() {
            for range in unsynced { arrive(range) }
            unsynced = []
        }

        mutating func failSync(drops: Bool) {
            unsynced = []
            if drops { current = durable }
        }

        /// These bytes reach the platter.
        mutating func arrive(_ range: Range<Int>) {
            if durable.count < range.upperBound {
                durable += [UInt8](repeating: 0, count: range.upperBound - durable.count)
            }
            durable.replaceSubrange(range, with: current[range])
        }
    }

    /// What one change of names makes of each name: a file or nothing.
    private typealias NameChange = [(path: String, inode: Int?)]

    var inodes: [Inode] = []
    var names: [String: Int] = [:]
    var durableNames: [String: Int] = [:]
    private var unsyncedNames: [NameChange] = []
    var directories: Set<String> = ["/data"]
    var newestWrite: (inode: Int, range: Range<Int>)?
    var operations = 0
    var stopsAt = Int.max
    var failsAt = Int.max
    var failure: Int32 = 0
    var dropsPages = false

    mutating func rename(_ change: [(path: String, inode: Int?)]) {
        for (path, inode) in change { names[path] = inode }
        unsyncedNames.append(change)
    }

    mutating func syncDirectory(_ directory: String) {
        for change in unsyncedNames where Self.isIn(directory, change) { arrive(change) }
        unsyncedNames.removeAll { Self.isIn(directory, $0) }
    }

    private static func isIn(_ directory: String, _ change: NameChange) -> Bool {
        guard let path = change.first?.path, path.hasPrefix(directory + "/") else { return false }
        return !path.dropFirst(directory.count + 1).contains("/")
    }

    private mutating func arrive(_ change: NameChange) {
        for (path, inode) in change { durableNames[path] = inode }
    }

    mutating func losePower(_ tear: MemoryDisk.Tear, renamesArrived: Bool) {
        var drawn = SplitMix64(seed: 0)
        if case .drawn(let random) = tear { drawn = random }
        for position in inodes.indices where !inodes[position].unsynced.isEmpty {
            keep(tear, of: position, &drawn)
            inodes[position].unsynced = []
        }
        for position in inodes.indices { inodes[position].current = inodes[position].durable }
        for change in unsyncedNames {
            var arrives = renamesArrived
            if case .drawn = tear { arrives = drawn.next() % 2 == 0 }
            if arrives { arrive(change) }
        }
        unsyncedNames = []
        names = durableNames
    }

    private mutating func keep(_ tear: MemoryDisk.Tear, of position: Int, _ drawn: inout SplitMix64) {
        guard let last = inodes[position].unsynced.last else { return }
        switch tear {
        case .nothingWritten: break
        case .everythingWritten: inodes[position].sync()
        case .prefix(let count):
            for range in inodes[position].unsynced.dropLast() { inodes[position].arrive(range) }
            inodes[position].arrive(last.prefix(count))
        case .missingSectors(let missing):
            for range in inodes[position].unsynced.dropLast() { inodes[position].arrive(range) }
            let first = last.lowerBound / Self.sectorSize
            for sector in sectors(of: last) {
                let number = sector.lowerBound / Self.sectorSize - first
                if number >= 64 || missing >> UInt64(number) & 1 == 0 { inodes[position].arrive(sector) }
            }
        case .drawn:
            let isPrefix = drawn.next() % 2 == 0
            for range in inodes[position].unsynced.dropLast(isPrefix ? 1 : 0) {
                for sector in sectors(of: range) where drawn.next() % 2 == 0 { inodes[position].arrive(sector) }
            }
            if isPrefix { inodes[position].arrive(last.prefix(Int(drawn.next() % UInt64(last.count + 1)))) }
        }
        let whole = inodes[position].current.count - inodes[position].durable.count
        // A file that grew has its length; what did not arrive reads as zeros.
        if whole > 0, tear != .nothingWritten {
            inodes[position].durable += [UInt8](repeating: 0, count: whole)
        }
    }

    private static let sectorSize = 512

    private func sectors(of range: Range<Int>) -> [Range<Int>] {
        let starts = stride(
            from: range.lowerBound / Self.sectorSize, through: (range.upperBound - 1) / Self.sectorSize, by: 1)
        return starts.map { sector in
            max(sector * Self.sectorSize, range.lowerBound)..<min((sector + 1) * Self.sectorSize, range.upperBound)
        }
    }
}
