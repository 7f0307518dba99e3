import Glibc
import Posix
import Raft
import Synchronization

/// A disk in memory that knows what is durable, and stops or fails at a chosen operation.
final class CrashingDisk: Disk {
    struct File: Sendable {
        fileprivate let inode: Int
    }

    /// What becomes of the writes that no sync has covered when the machine stops.
    enum Tear: Hashable {
        case nothingWritten
        case everythingWritten
        /// Of the last write only the first bytes arrive, of those before all.
        case prefix(Int)
        /// The last write arrives without the sectors whose bit is set, counted from its first one.
        case missingSectors(UInt64)
    }

    enum Fault: Hashable, Sendable {
        /// The machine stops before this operation, counted from 0; so every later one fails too.
        case stop(before: Int)
        /// This sync fails, all else works.
        case failedSync(Int)
    }

    private struct Inode {
        var durable: [UInt8] = []
        var pending: [(offset: Int, bytes: [UInt8])] = []

        func contents(_ writes: some Sequence<(offset: Int, bytes: [UInt8])>) -> [UInt8] {
            var result = durable
            for write in writes {
                let end = write.offset + write.bytes.count
                if result.count < end { result += [UInt8](repeating: 0, count: end - result.count) }
                result.replaceSubrange(write.offset..<end, with: write.bytes)
            }
            return result
        }
    }

    private struct State {
        var inodes: [Inode] = []
        var names: [String: Int] = [:]
        var durableNames: [String: Int] = [:]
        var directories: Set<String> = ["/data"]
        var operations = 0
        var syncs = 0
    }

    private let state = Mutex(State())
    private let fault: Fault?

    init(fault: Fault? = nil) { self.fault = fault }

    /// The operations that changed anything so far.
    var operations: Int { state.withLock { $0.operations } }
    var syncs: Int { state.withLock { $0.syncs } }

    /// The disk as the next start finds it.
    func afterCrash(_ tear: Tear, renamesArrived: Bool) -> CrashingDisk {
        let old = state.withLock { $0 }
        let result = CrashingDisk()
        result.state.withLock { new in
            new.directories = old.directories
            new.names = renamesArrived ? old.names : old.durableNames
            new.inodes = old.inodes.map { inode in Inode(durable: Self.surviving(inode, tear)) }
            new.durableNames = new.names
        }
        return result
    }

    private static func surviving(_ inode: Inode, _ tear: Tear) -> [UInt8] {
        guard let last = inode.pending.last else { return inode.durable }
        let before = inode.pending.dropLast()
        switch tear {
        case .nothingWritten: return inode.durable
        case .everythingWritten: return inode.contents(inode.pending)
        case .prefix(let count):
            return inode.contents(before + [(last.offset, Array(last.bytes.prefix(count)))])
        case .missingSectors(let missing):
            var result = inode.contents(before)
            let whole = inode.contents(inode.pending)
            if result.count < whole.count { result += [UInt8](repeating: 0, count: whole.count - result.count) }
            for offset in last.offset..<last.offset + last.bytes.count {
                let sector = offset / 512 - last.offset / 512
                if sector >= 64 || missing >> UInt64(sector) & 1 == 0 { result[offset] = whole[offset] }
            }
            return result
        }
    }

    /// The length of the longest write that is not durable.
    var longestPending: Int {
        state.withLock { $0.inodes.compactMap { $0.pending.last?.bytes.count }.max() ?? 0 }
    }

    /// The bytes of all files, for tests that damage one.
    var files: [String: [UInt8]] {
        state.withLock { state in
            state.names.mapValues { state.inodes[$0].contents(state.inodes[$0].pending) }
        }
    }

    /// A copy of this disk on which one bit is the other way round.
    func flipping(bit: Int, ofByte offset: Int, in path: String) -> CrashingDisk {
        let result = afterCrash(.everythingWritten, renamesArrived: true)
        result.state.withLock { $0.inodes[$0.names[path]!].durable[offset] ^= 1 << UInt8(bit) }
        return result
    }

    func removing(_ path: String) -> CrashingDisk {
        let result = afterCrash(.everythingWritten, renamesArrived: true)
        result.state.withLock { $0.names[path] = nil }
        return result
    }

    func createDirectory(_ path: String) throws(SystemError) {
        try change("mkdir", path) { _ = $0.directories.insert(path) }
    }

    func names(in directory: String) throws(SystemError) -> [String] {
        state.withLock { state in
            let prefix = directory + "/"
            return (Array(state.names.keys) + Array(state.directories)).compactMap { path in
                guard path.hasPrefix(prefix) else { return nil }
                let name = path.dropFirst(prefix.count)
                return name.contains("/") ? nil : String(name)
            }
        }
    }

    func contents(of path: String) throws(SystemError) -> [UInt8] {
        guard let bytes = files[path] else { throw SystemError("open", path, code: ENOENT) }
        return bytes
    }

    func create(_ path: String, reserving bytes: Int) throws(SystemError) -> File {
        var file = File(inode: 0)
        try change("create", path) { state in
            file = File(inode: state.inodes.count)
            state.inodes.append(Inode(durable: [UInt8](repeating: 0, count: bytes)))
            state.names[path] = file.inode
        }
        return file
    }

    func open(_ path: String) throws(SystemError) -> File {
        guard let inode = state.withLock({ $0.names[path] }) else { throw SystemError("open", path, code: ENOENT) }
        return File(inode: inode)
    }

    func write(_ bytes: [UInt8], to file: File, at offset: Int) throws(SystemError) {
        try change("write", "") { $0.inodes[file.inode].pending.append((offset, bytes)) }
    }

    func sync(_ file: File) throws(SystemError) {
        let number = state.withLock { state in
            defer { state.syncs += 1 }
            return state.syncs
        }
        if case .failedSync(number) = fault { throw SystemError("fdatasync", "", code: EIO) }
        try change("fdatasync", "") { state in
            let inode = state.inodes[file.inode]
            state.inodes[file.inode] = Inode(durable: inode.contents(inode.pending))
        }
    }

    func rename(_ old: String, to new: String) throws(SystemError) {
        try change("rename", old) { $0.names[new] = $0.names.removeValue(forKey: old) }
    }

    func remove(_ path: String) throws(SystemError) {
        try change("remove", path) { $0.names[path] = nil }
    }

    func syncDirectory(_ path: String) throws(SystemError) {
        try change("fsync", path) { state in
            func isIn(_ file: String) -> Bool {
                file.hasPrefix(path + "/") && !file.dropFirst(path.count + 1).contains("/")
            }
            for name in state.durableNames.keys where isIn(name) { state.durableNames[name] = nil }
            for (name, inode) in state.names where isIn(name) { state.durableNames[name] = inode }
        }
    }

    private func change(_ operation: String, _ path: String, _ body: (inout State) -> Void) throws(SystemError) {
        let happened = state.withLock { state in
            if case .stop(let operation) = fault, state.operations >= operation { return false }
            state.operations += 1
            body(&state)
            return true
        }
        if !happened { throw SystemError(operation, path, code: EIO) }
    }
}
