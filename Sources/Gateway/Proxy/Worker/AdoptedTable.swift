import Posix

/// A routing table that a worker uses or used, with the number of its exchanges that still refer to it.
struct AdoptedTable {
    let table: Unmanaged<RoutingTable>
    let targets: UnsafeBufferPointer<UpstreamTable>
    let clients: ClientTerms
    let tracing: TracingTerms
    let generation: UInt64
    var users = 0

    init(_ table: RoutingTable) {
        self.table = .passRetained(table)
        targets = table.targets
        clients = table.clients
        tracing = table.tracing
        generation = table.generation
    }

    @inline(__always)
    func route(host: RawSpan, path: RawSpan) -> Int32? {
        table._withUnsafeGuaranteedRef { $0.route(host: host, path: path) }
    }
}

/// The tables of one worker: the present one, and older ones until their last exchange ends.
struct AdoptedTables: ~Copyable {
    private(set) var current: UnsafeMutablePointer<AdoptedTable>
    private var old: [UnsafeMutablePointer<AdoptedTable>] = []

    init(_ table: RoutingTable) {
        current = AdoptedTables.held(table)
    }

    deinit {
        AdoptedTables.release(current)
        for table in old { AdoptedTables.release(table) }
    }

    mutating func adopt(_ table: RoutingTable) {
        old.append(current)
        current = AdoptedTables.held(table)
        sweep()
    }

    @inline(__always)
    mutating func end(_ table: UnsafeMutablePointer<AdoptedTable>) -> Bool {
        table.pointee.users -= 1
        guard table.pointee.users == 0 && table != current else { return false }
        sweep()
        return true
    }

    /// The generation of the oldest table still in use.
    var oldestGeneration: UInt64 { (old.first ?? current).pointee.generation }

    private mutating func sweep() {
        old.removeAll { table in
            guard table.pointee.users == 0 else { return false }
            AdoptedTables.release(table)
            return true
        }
    }

    private static func held(_ table: RoutingTable) -> UnsafeMutablePointer<AdoptedTable> {
        let pointer = UnsafeMutablePointer<AdoptedTable>.allocate(capacity: 1)
        pointer.initialize(to: AdoptedTable(table))
        return pointer
    }

    private static func release(_ table: UnsafeMutablePointer<AdoptedTable>) {
        table.pointee.table.release()
        table.deinitialize(count: 1)
        table.deallocate()
    }
}
