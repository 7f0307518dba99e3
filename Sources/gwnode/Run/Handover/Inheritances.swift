import Gateway
import Glibc
import Posix
import Raft

/// Connections that other nodes hand over, made anew and ready to go on once this node holds their addresses.
struct Inheritances {
    private struct Move {
        var number: UInt64
        var node: NodeID
        var offeredAt: Instant
        var count = 0
        /// By the address at which clients reached the other node.
        var waiting: [IPAddress: [RepairedSocket]] = [:]
    }

    /// Until the addresses of connections that are ready have come.
    private static let patience = Nanoseconds.seconds(3)
    /// What another node said of itself before the offer came may be as old as that.
    private static let delay = Nanoseconds.milliseconds(100)
    private static let connectionLimit = 200_000
    private static let moveLimit = 64

    private var moves: [Move] = []

    /// No connection waits for its address.
    var isEmpty: Bool { moves.allSatisfy(\.waiting.isEmpty) }

    /// Makes connections of a move anew. Whoever offers those to an address still had it, so none goes on that was offered
    /// before.
    mutating func add(
        _ images: [TCPConnectionImage], to addresses: Set<IPAddress>, of number: UInt64, by node: NodeID,
        at now: Instant
    ) {
        for index in moves.indices where moves[index].number != number || moves[index].node != node {
            for address in addresses { moves[index].waiting[address] = nil }
        }
        let room = Self.connectionLimit - moves.reduce(0) { $0 + $1.count }
        let sockets = RepairedSocket.restored(images.prefix(max(room, 0)))
        let index = index(of: number, by: node, at: now)
        moves[index].count += sockets.count
        for socket in sockets { moves[index].waiting[socket.image.local.ip, default: []].append(socket) }
    }

    private mutating func index(of number: UInt64, by node: NodeID, at now: Instant) -> Int {
        if let index = moves.firstIndex(where: { $0.number == number && $0.node == node }) { return index }
        if moves.count == Self.moveLimit { moves.removeFirst() }
        moves.append(Move(number: number, node: node, offeredAt: now))
        return moves.count - 1
    }

    /// How many connections of a move could be made.
    func count(of number: UInt64, by node: NodeID) -> Int {
        moves.first { $0.number == number && $0.node == node }?.count ?? 0
    }

    /// They go on at `node`.
    mutating func drop(_ number: UInt64, by node: NodeID) {
        moves.removeAll { $0.number == number && $0.node == node }
    }

    /// Takes out those whose addresses are here.
    mutating func take(to held: Set<IPAddress>) -> [RepairedSocket] {
        var arrived: [RepairedSocket] = []
        for index in moves.indices {
            for address in moves[index].waiting.keys where held.contains(address) {
                arrived += moves[index].waiting.removeValue(forKey: address) ?? []
            }
        }
        return arrived
    }

    /// Drops those whose addresses did not come, or went elsewhere.
    /// - Parameter isElsewhere: whether a node other than this one, which offered them, has had an address since.
    /// - Returns: those connections.
    mutating func expire(
        at now: Instant, _ isElsewhere: (IPAddress, _ but: NodeID, _ since: Instant) -> Bool
    ) -> [ConnectionRecord.Flow] {
        var late: [ConnectionRecord.Flow] = []
        for index in moves.indices {
            let (node, offeredAt) = (moves[index].node, moves[index].offeredAt)
            for address in moves[index].waiting.keys
            where now >= offeredAt + Self.patience || isElsewhere(address, node, offeredAt + Self.delay) {
                late += moves[index].waiting.removeValue(forKey: address)?.map(\.image.flow) ?? []
            }
        }
        moves.removeAll { now >= $0.offeredAt + Self.patience }
        return late
    }
}

extension RepairedSocket {
    /// Those of the connections that can be made here.
    static func restored(_ images: some Sequence<TCPConnectionImage>) -> [RepairedSocket] {
        images.compactMap { image in
            do throws(SystemError) { return try restored(image) } catch {
                Log.debug("vip: the connection from \(image.peer) can not go on here: \(error)")
                return nil
            }
        }
    }

    /// Also where an earlier connection between the same ends, or an earlier state of this one, has left something here.
    static func restored(_ image: TCPConnectionImage) throws(SystemError) -> RepairedSocket {
        do throws(SystemError) { return try RepairedSocket(restoring: image) } catch {
            guard error.code == EADDRNOTAVAIL else { throw error }
        }
        try ConnectionCensus().clear(image.flow, .goesOn)
        return try RepairedSocket(restoring: image)
    }
}
