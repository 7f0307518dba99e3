import Glibc
import Posix
import TLS

/// What a node holds from its making on, and its consensus thread takes over.
struct NodeResources: ~Copyable, Sendable {
    let options: RaftNodeOptions
    /// Made here so that its errors are told; only the consensus thread uses it.
    nonisolated(unsafe) let certificate: NodeCertificate?
    let lock: DirectoryLock
    let storage: NodeStorage<FileSystem>
    let recovered: NodeStorage<FileSystem>.Recovered
    let listener: FileDescriptor
    let listenAddress: SocketAddress

    static func open(_ options: RaftNodeOptions) throws(RaftNodeError) -> NodeResources {
        try translating(RaftNodeError.timing) { () throws(Timing.Fault) in try options.timing.validate() }
        let disk = FileSystem()
        try translating(RaftNodeError.system) { () throws(SystemError) in
            try disk.createDirectory(options.dataDirectory)
        }
        let certificate = try translating(RaftNodeError.certificate) { () throws(TLSFailure) in
            try options.certificate.map { files throws(TLSFailure) in
                try NodeCertificate(
                    files, name: NodeName(cluster: options.cluster, node: options.id.number), at: .now())
            }
        }
        let lock = try translating(RaftNodeError.storage) { () throws(StorageError) in
            guard let heritage = options.heritage else { return try DirectoryLock(directory: options.dataDirectory) }
            return try DirectoryLock(inheriting: heritage.lock, directory: options.dataDirectory)
        }
        let owner = NodeStorage<FileSystem>.Owner(
            cluster: options.cluster, node: options.id, newIncarnation: UInt64.random(in: 1...UInt64.max),
            created: WallTime.now().description)
        var recovered = NodeStorage<FileSystem>.Recovered()
        let storage = try translating(RaftNodeError.storage) { () throws(StorageError) in
            try NodeStorage.open(options.dataDirectory, disk: disk, owner: owner, into: &recovered)
        }
        if let end = recovered.tornAt {
            Log.warning(
                "raft: \(options.dataDirectory): cut off an unfinished write at byte \(end) of the newest log segment; "
                    + "nobody had been told that it was done")
        }
        let listener = try translating(RaftNodeError.system) { () throws(SystemError) in
            if let heritage = options.heritage { return FileDescriptor(owning: heritage.listener) }
            return try Socket.listen(on: options.listen)
        }
        guard let address = Socket.localAddress(of: listener.raw) else { throw .system(SystemError("getsockname")) }
        return NodeResources(
            options: options, certificate: certificate, lock: lock, storage: storage, recovered: recovered,
            listener: listener,
            listenAddress: address)
    }

    /// Runs `body` with its error turned into one of the node.
    private static func translating<Value: ~Copyable, Failure: Error>(
        _ translation: (Failure) -> RaftNodeError, _ body: () throws(Failure) -> Value
    ) throws(RaftNodeError) -> Value {
        do throws(Failure) { return try body() } catch { throw translation(error) }
    }
}
