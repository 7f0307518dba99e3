import CLinux
import Glibc
import Posix
import TLS

/// The dialling end: connect, say hello, be welcomed.
extension Transport {
    func dial(_ peer: NodeID, _ lane: Message.Lane, at now: Instant) {
        guard let link = links[peer] else { return }
        guard let address = link.resolved else {
            // An answer sets both lanes going again.
            links[peer]![lane].resolve()
            let isUnderWay = link[lane == .control ? .bulk : .control].state == .resolving
            if !isUnderWay, !resolve(link.address) { links[peer]![lane].refused(at: now) }
            return
        }
        let token = takeToken()
        let session: TLSSession?
        do throws(TLSFailure) { session = try makeSession(.client, at: now) } catch {
            limiter.warn("dial \(peer)", at: now, "raft: node \(peer) can not be dialled: \(error)")
            return links[peer]![lane].refused(at: now)
        }
        do throws(SystemError) {
            let socket = try Socket.startConnecting(to: address)
            let connection = Connection(
                socket, token: token, address: address, purpose: .dialed(peer, lane), phase: .connecting,
                deadline: now + Self.greetingTime,
                queueLimit: lane == .control ? Self.controlQueueBytes : Self.bulkQueueBytes, session: session)
            try poller.add(connection.descriptor, .write, token: token)
            connections[token] = connection
            links[peer]![lane].dial(token: token)
        } catch {
            dialFailed(peer, lane, error, at: now)
        }
    }

    /// The outcome of the connect is known.
    func finishConnecting(_ connection: Connection, _ peer: NodeID, _ lane: Message.Lane, at now: Instant) {
        let code = Socket.pendingError(connection.descriptor)
        guard code == 0 else {
            forget(connection.token)
            return dialFailed(
                peer, lane, SystemError("connect to", connection.address.description, code: code), at: now)
        }
        connection.setUserTimeout(Self.userTimeout)
        connection.awaitsRoom = true
        guard connection.isSecured else { return sayHello(on: connection, peer, lane, at: now) }
        connection.phase = .securing
        do throws(TLSFailure) { try connection.secure() } catch { return refuse(connection, "\(error)", at: now) }
        flush(connection, at: now)
    }

    func sayHello(on connection: Connection, _ peer: NodeID, _ lane: Message.Lane, at now: Instant) {
        connection.phase = .greeting
        let hello = Hello(
            cluster: local.cluster.description, from: local.id, to: peer, incarnation: local.incarnation, lane: lane)
        connection.queue(.hello(hello))
        flush(connection, at: now)
    }

    func makeSession(_ role: TLSSession.Role, at now: Instant) throws(TLSFailure) -> TLSSession? {
        guard let certificate else { return nil }
        return try TLSSession(certificate.context(at: now), role)
    }

    /// A name was looked up, or could not be.
    package func resolved(_ answer: Resolver.Answer, at now: Instant) {
        for id in links.keys where links[id]!.address == answer.address {
            links[id]!.resolved = answer.resolved
            for lane in [Message.Lane.control, .bulk] where links[id]![lane].state == .resolving {
                links[id]![lane].lost(at: answer.resolved == nil ? now + Dialer.pauseAfterRefusal : now)
            }
            if answer.resolved == nil {
                limiter.warn(
                    "resolve \(answer.address)", at: now,
                    "raft: the address '\(answer.address)' of node \(id) can not be resolved: \(answer.problem)")
            }
        }
    }

    private func dialFailed(_ peer: NodeID, _ lane: Message.Lane, _ error: SystemError, at now: Instant) {
        if error.code == ECONNREFUSED {
            let isGone = links[peer]![lane].foundNobody(at: now)
            if isGone, lane == .control { events.append(.processGone(peer)) }
        } else {
            links[peer]![lane].lost(at: now)
        }
        if !links[peer]!.isNumeric { links[peer]!.resolved = nil }
        limiter.warn("dial \(peer)", at: now, "raft: node \(peer) can not be reached: \(error)")
    }

    func welcomed(_ connection: Connection, by welcome: Welcome, as peer: NodeID, _ lane: Message.Lane, at now: Instant)
    {
        guard welcome.from == peer else {
            return refuse(connection, "node \(welcome.from) answers there, expected node \(peer)", at: now)
        }
        guard knows(peer, welcome.incarnation) else {
            return refuse(connection, Self.strangerReason(peer), at: now)
        }
        connection.phase = .open
        connection.deadline = nil
        links[peer]![lane].opened(token: connection.token)
        openedCount += 1
        links[peer]!.owesInfo = true
        if lane == .control {
            Log.info(
                "raft: connected to node \(peer) at \(connection.address)",
                [.event("peer-connected"), .node(peer.number), .address("\(connection.address)")])
        }
    }

    /// Whether the peer is the one first met under its id.
    func knows(_ peer: NodeID, _ incarnation: UInt64) -> Bool {
        switch registry.meet(peer, incarnation: incarnation) {
        case .known: return true
        case .new:
            events.append(.met(registry))
            return true
        case .stranger: return false
        }
    }

    static func strangerReason(_ peer: NodeID) -> String {
        "node \(peer) has another data directory than the one first met under this id, so it may have lost votes and "
            + "entries; restore its data directory, or remove it and add it under a new id"
    }
}
