import Gateway
import Posix
import Raft

/// A move on which the open connections of clients go along.
///
/// 1. Requests that are under way may finish, for `timeout`; clients notice nothing yet.
/// 2. New connections are held back, and the workers let go of each connection that is between two requests.
/// 3. Nothing arrives for the addresses any more: what this kernel acknowledged from here on would be lost.
/// 4. The connections are taken out of the kernel and made anew at the next holder, which does not use them yet.
/// 5. Leadership is handed over. The next holder claims the addresses and goes on with the connections.
///
/// Before the fifth step everything can be taken back. After it nothing is: two nodes must never go on with one connection,
/// so what went wrong then ends in a reset by the kernel of the next holder.
extension AddressMover {
    /// False when nothing was begun, or all was taken back, and the move has to be made without the connections.
    func isCarried(_ addresses: Set<IPAddress>, to target: NodeID?) -> Bool {
        guard let carrier, let view = view.current, view.fence == .kernel, let heir = target ?? view.raft.heir,
            view.connected.contains(heir)
        else { return false }
        let departing = workers.announceDeparture(from: addresses)
        defer { workers.endDeparture() }
        _ = wait(until: .now() + timeout) { departing.areAnswered }
        keepBack(.newConnections, for: addresses)
        workers.depart(departing)
        gather(departing)
        guard keepBack(.everything, for: addresses) else {
            takeBack(departing)
            return false
        }
        let load = carrier.load(departing)
        guard carrier.offer(load, to: heir) else {
            takeBack(load, addresses)
            return false
        }
        switch transfer(to: heir) {
        case .begun: carrier.forget(load)
        case .refused: takeBack(load, addresses)
        }
        return true
    }

    /// Waits for the connections on which something is still under way.
    private func gather(_ departing: DepartingConnections) {
        let isComplete = hasConnections(departing.addresses, until: .now() + Self.holdLimit) { open in
            departing.count >= open && departing.descriptors.allSatisfy(Socket.isAllAcknowledged)
        }
        if !isComplete {
            Log.warning(
                "vip: some requests are still under way after \(timeout); their connections are lost in the move")
        }
    }

    private func takeBack(_ load: Load, _ addresses: Set<IPAddress>) {
        keepBack(.newConnections, for: addresses)
        workers.endDeparture()
        workers.takeIn(load.unload())
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
