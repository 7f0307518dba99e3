import Posix
import TLS

/// One worker's idle connections, by backend, the most recently used in front: it is the likeliest to be alive and
/// warm, and those that are not needed reach their idle timeout.
struct UpstreamPool: ~Copyable {
    private struct List {
        var newest = Slot.none
        var count = 0
        /// Nil while the present routing table does not use the identifier.
        var address: SocketAddress?
        /// Of the `TLSClient` that secures connections; nil: they are plain.
        var security: UnsafeMutableRawPointer?
        /// Connections may serve one client after another.
        var isShared = true

        func leads(to address: SocketAddress, _ security: UnsafeMutableRawPointer?) -> Bool {
            self.address == address && self.security == security
        }

        func keeps(_ connection: UnsafeMutablePointer<UpstreamConnection>) -> Bool {
            isShared && leads(to: connection.pointee.address, connection.pointee.security)
        }
    }

    private var lists: UnsafeMutableBufferPointer<List>
    /// What a backend gave last to be resumed, by its identifier.
    private var sessions: [TLSClientSession?] = []
    private let limit: Int

    /// - Parameter limit: idle connections of one backend.
    init(limit: Int) {
        self.limit = limit
        lists = .allocate(capacity: 0)
    }

    deinit { lists.deallocate() }

    /// Adopts the backends of a routing table. Connections to backends that it does not name, or whose connections are
    /// not shared, are no longer taken or put; the idle ones come back one by one through `takeForeign`.
    mutating func adopt(_ table: borrowing RoutingTable) {
        let bound = max(table.runtimeIDBound, lists.count)
        let before = lists
        let larger = UnsafeMutableBufferPointer<List>.allocate(capacity: bound)
        for index in 0..<bound {
            larger.initializeElement(at: index, to: index < lists.count ? lists[index] : List())
            larger[index].address = nil
            larger[index].security = nil
        }
        lists = larger
        for upstream in table.upstreams {
            for backend in upstream.backends {
                lists[Int(backend.runtimeID)].address = backend.address
                lists[Int(backend.runtimeID)].security = backend.security?.toOpaque()
                // A connection that was introduced is one client's, and is not kept.
                lists[Int(backend.runtimeID)].isShared = upstream.introduces == nil
            }
        }
        sessions += Array(repeating: nil, count: bound - sessions.count)
        for (index, list) in before.enumerated()
        where lists[index].address != list.address || lists[index].security != list.security {
            sessions[index] = nil
        }
        before.deallocate()
    }

    /// Takes an idle connection that leads to no backend of the present table.
    mutating func takeForeign(from slab: borrowing Slab<UpstreamConnection>) -> Slot? {
        for list in lists where list.newest != .none {
            let slot = list.newest
            if list.keeps(slab[slot]) { continue }
            remove(slot, from: slab)
            return slot
        }
        return nil
    }

    /// What a connection to the backend can resume; nil when there is nothing.
    func session(of backend: BackendSlot) -> TLSClientSession? {
        let index = Int(backend.runtimeID)
        return lists[index].leads(to: backend.address, backend.security?.toOpaque()) ? sessions[index] : nil
    }

    /// Keeps what a backend gave, for the next connections to it.
    mutating func keep(_ session: TLSClientSession, of connection: UnsafeMutablePointer<UpstreamConnection>) {
        let index = Int(connection.pointee.backendID)
        guard lists[index].leads(to: connection.pointee.address, connection.pointee.security) else { return }
        sessions[index] = session
    }

    /// Takes the most recently used connection of a backend, nil when none is idle.
    mutating func take(_ backend: BackendSlot, from slab: borrowing Slab<UpstreamConnection>) -> Slot? {
        let list = lists[Int(backend.runtimeID)]
        guard list.newest != .none, list.leads(to: backend.address, backend.security?.toOpaque()) else { return nil }
        let slot = list.newest
        remove(slot, from: slab)
        return slot
    }

    /// Puts a connection in front; false when the backend is gone or has as many idle ones as it may.
    mutating func put(_ slot: Slot, into slab: borrowing Slab<UpstreamConnection>) -> Bool {
        let connection = slab[slot]
        let index = Int(connection.pointee.backendID)
        guard lists[index].count < limit, lists[index].keeps(connection) else { return false }
        connection.pointee.newer = .none
        connection.pointee.older = lists[index].newest
        if lists[index].newest != .none {
            let newest = slab[lists[index].newest]
            newest.pointee.newer = slot
        }
        lists[index].newest = slot
        lists[index].count += 1
        return true
    }

    mutating func remove(_ slot: Slot, from slab: borrowing Slab<UpstreamConnection>) {
        let connection = slab[slot]
        let index = Int(connection.pointee.backendID)
        let (newer, older) = (connection.pointee.newer, connection.pointee.older)
        if newer == .none {
            lists[index].newest = older
        } else {
            let neighbour = slab[newer]
            neighbour.pointee.older = older
        }
        if older != .none {
            let neighbour = slab[older]
            neighbour.pointee.newer = newer
        }
        lists[index].count -= 1
    }
}
