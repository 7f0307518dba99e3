import Gateway
import Posix
import Raft

/// A move on which the open connections of clients go along.
///
/// 1. Requests that are under way may finish, for `timeout`; clients notice nothing yet.
/// 2. New connections are held back, and the workers let go of each connection that is between two requests.
/// 3. Nothing arrives for the addresses any more: what this kernel acknowledged from here on would be lost.
/// 4. The connections are taken out of the kernel and made anew at the next holder, which does not use them yet.
/// 5. Leadership is handed over, or this node gives the addresses up to whom they are lent or belong. The next holder claims
///    the addresses and goes on with the connections.
///
/// Before the fifth step everything can be taken back. After it nothing is: two nodes must never go on with one connection,
/// so what went wrong then ends in a reset by the kernel of the next holder. This kernel forgets the connections then, and
/// where addresses may be back within milliseconds even before they leave: it could not have them again otherwise.
extension AddressMover {
    /// False when nothing was begun, or all was taken back, and the move has to be made without the connections.
    /// - Parameters:
    ///   - giveUp: the fifth step, or the decision for it.
    ///   - leave: what is left of it once this kernel has forgotten the connections.
    func isCarried(
        _ addresses: Set<IPAddress>, to heir: NodeID?, _ giveUp: (NodeID) -> HandoverOutcome, leave: () -> Void = {}
    ) -> Bool {
        guard let carrier, let heir, let view = view.current, view.fence == .kernel, view.connected.contains(heir)
        else { return false }
        let departing = workers.announceDeparture(from: addresses)
        defer { workers.endDeparture() }
        _ = wait(until: .now() + timeout) { departing.areAnswered }
        keepBack(.newConnections, for: addresses)
        workers.depart(departing)
        let isComplete = gather(departing)
        guard keepBack(.everything, for: addresses) else {
            takeBack(departing)
            return false
        }
        let load = carrier.load(departing)
        let left = (isComplete ? [] : connections(to: addresses, beside: load)) + carrier.endings(to: addresses)
        guard carrier.offer(load, left: left, to: heir) else {
            carrier.withdraw(load, from: heir)
            takeBack(load, addresses)
            return false
        }
        carrier.remember(load, at: heir)
        switch giveUp(heir) {
        case .begun:
            carrier.forget(load)
            leave()
        case .refused:
            carrier.withdraw(load, from: heir)
            takeBack(load, addresses)
        }
        return true
    }

    /// Waits for the connections on which something is still under way. False when it is for too long.
    private func gather(_ departing: DepartingConnections) -> Bool {
        hasConnections(departing.addresses, until: .now() + Self.holdLimit) { open in
            departing.count >= open && departing.descriptors.allSatisfy(Socket.isAllAcknowledged)
        }
    }

    /// Those with which the next holder can not go on. Their clients may wait for an answer, and would never learn that none
    /// comes: whatever this machine says then does not leave it, and the next holder would not know of them.
    private func connections(to addresses: Set<IPAddress>, beside load: Load) -> [ConnectionRecord.Flow] {
        do throws(SystemError) {
            let left = Set(try ConnectionCensus().flows(to: addresses)).subtracting(load.images.map(\.flow))
            if !left.isEmpty {
                Log.warning("vip: something is still under way on \(left.count) connections after \(timeout); they end")
            }
            return Array(left)
        } catch {
            Log.warning("vip: the kernel does not tell what is under way: \(error)")
            return []
        }
    }

    private func takeBack(_ load: Load, _ addresses: Set<IPAddress>) {
        keepBack(.newConnections, for: addresses)
        workers.endDeparture()
        // This process may have been stopped for so long that the addresses, and the connections with them, are elsewhere.
        if addresses.isSubset(of: view.current?.heldAddresses ?? []) { workers.takeIn(load.unload()) }
    }

    private func takeBack(_ departing: DepartingConnections) {
        workers.endDeparture()
        workers.takeIn(
            departing.take().compactMap { socket in
                guard let local = Socket.localAddress(of: socket.descriptor),
                    let peer = Socket.peerAddress(of: socket.descriptor)
                else {
                    _ = FileDescriptor(owning: socket.descriptor)
                    return nil
                }
                return ArrivingConnection(socket, local: local, peer: peer)
            })
    }
}
