import Posix
import TLS

/// The accepting end, and whatever arrives on any connection.
extension Transport {
    func adopt(_ socket: consuming FileDescriptor, from address: SocketAddress, at now: Instant) {
        let accepted = connections.values.count { !$0.isDialed }
        guard accepted < Self.acceptedLimit else {
            limiter.warn(
                "accepted", at: now, "raft: \(address) refused: \(accepted) connections are open, the limit is reached")
            return
        }
        Socket.setNoDelay(socket.raw)
        let token = takeToken()
        let session: TLSSession?
        do throws(TLSFailure) { session = try makeSession(.server, at: now) } catch {
            return limiter.warn("accepted", at: now, "raft: \(address) refused: \(error)")
        }
        let connection = Connection(
            socket, token: token, address: address, purpose: .unknown, phase: session == nil ? .greeting : .securing,
            deadline: now + Self.greetingTime, queueLimit: Self.controlQueueBytes, session: session)
        do throws(SystemError) {
            try poller.add(connection.descriptor, .read, token: token)
            connections[token] = connection
        } catch {
            limiter.warn("accepted", at: now, "raft: \(address) refused: \(error)")
        }
    }

    func receive(on connection: Connection, at now: Instant) {
        let result = connection.read(using: scratch)
        if connection.phase == .securing { secured(connection, at: now) }
        guard connections[connection.token] != nil else { return }
        let beginsAsTLS = connection.phase == .greeting && connection.parser.beginsAsTLS
        do throws(MalformedBytes) {
            while connections[connection.token] != nil, let body = try connection.parser.next() {
                take(try FrameBody.decode(body), from: connection, at: now)
            }
        } catch {
            let reason = "it speaks TLS, for which this node has no nodeCertificate"
            return refuse(connection, beginsAsTLS ? reason : "not understood \(error)", at: now)
        }
        guard connections[connection.token] != nil else { return }
        switch result {
        case .open: break
        case .closed: lose(connection, "closed by the other end", at: now)
        case .failed(let error): lose(connection, error.description, at: now)
        case .insecure(let failure): refuse(connection, failure, at: now)
        }
    }

    /// What the handshake brought; nothing while it goes on.
    private func secured(_ connection: Connection, at now: Instant) {
        if connection.mayGreet {
            switch connection.purpose {
            case .dialed(let peer, let lane):
                if let problem = objection(to: connection, as: peer) { return refuse(connection, problem, at: now) }
                sayHello(on: connection, peer, lane, at: now)
            case .unknown, .accepted: connection.phase = .greeting
            }
        }
        if connections[connection.token] != nil { flush(connection, at: now) }
    }

    private func objection(to connection: Connection, as node: NodeID) -> String? {
        let name = NodeName(cluster: local.cluster.name, node: node.number)
        if connection.isCertified(as: name) { return nil }
        let found = connection.certifiedFor
        return "its certificate is for \(found.isEmpty ? "no node" : found), not for \(name.uri)"
    }

    private func refuse(_ connection: Connection, _ failure: TLSFailure, at now: Instant) {
        if failure == .noTLS, !connection.isDialed {
            connection.sayLastInPlain(.refusal("it does not speak TLS, which this node asks for; see nodeCertificate"))
        }
        refuse(connection, "\(failure)", at: now)
    }

    /// The connection is of no use any more; a dialled one is dialled again.
    func lose(_ connection: Connection, _ reason: String, at now: Instant) {
        guard connections[connection.token] != nil else { return }
        forget(connection.token)
        switch connection.purpose {
        case .dialed(let peer, let lane):
            if connection.phase == .open, lane == .control {
                Log.info(
                    "raft: lost node \(peer): \(reason)",
                    [.event("peer-lost"), .node(peer.number), .reason("\(reason)")])
            }
            links[peer]![lane].lost(at: now)
        case .unknown:
            limiter.warn("unknown \(connection.address.ip)", at: now, "raft: \(connection.address) refused: \(reason)")
        case .accepted:
            break
        }
    }

    /// Says why to the log and to the other end, and closes.
    func refuse(_ connection: Connection, _ reason: String, at now: Instant) {
        limiter.warn(
            "refuse \(connection.address.ip) \(reason)", at: now, "raft: \(connection.address) refused: \(reason)")
        if !connection.isDialed { connection.sayLast(.refusal(reason)) }
        forget(connection.token)
        if case .dialed(let peer, let lane) = connection.purpose { links[peer]![lane].refused(at: now) }
    }

    private func take(_ body: FrameBody, from connection: Connection, at now: Instant) {
        switch (body, connection.purpose, connection.phase) {
        case (.hello(let hello), .unknown, .greeting):
            greet(connection, hello, at: now)
        case (.welcome(let welcome), .dialed(let peer, let lane), .greeting):
            welcomed(connection, by: welcome, as: peer, lane, at: now)
        case (.refusal(let reason), .dialed(let peer, let lane), _):
            limiter.warn(
                "refused by \(peer) \(reason)", at: now,
                "raft: node \(peer) at \(connection.address) refuses this node: \(reason)")
            forget(connection.token)
            links[peer]![lane].refused(at: now)
        case (.removed, .dialed(let peer, let lane), .greeting):
            forget(connection.token)
            links[peer]![lane].refused(at: now)
            events.append(.removed(by: peer))
        case (.message(let message), .accepted(let peer, _), .open):
            links[peer]?.lastReceived = now
            events.append(.message(message, from: peer))
        case (.info(let blob), .accepted(let peer, _), .open):
            links[peer]?.lastReceived = now
            events.append(.info(blob, from: peer))
        case (.note(let note), .accepted(let peer, _), .open):
            links[peer]?.lastReceived = now
            events.append(.note(note, from: peer))
        case (.hello, _, _), (.welcome, _, _), (.refusal, _, _), (.removed, _, _), (.message, _, _), (.info, _, _),
            (.note, _, _):
            refuse(connection, "a frame that does not belong there", at: now)
        }
    }

    private func greet(_ connection: Connection, _ hello: Hello, at now: Instant) {
        if let problem = objection(to: connection, as: hello.from) { return refuse(connection, problem, at: now) }
        let title = ClusterTitle(hello.cluster)
        if title.name == local.cluster.name, removed.contains(hello.from) {
            return dismiss(connection, hello.from, at: now)
        }
        if let problem = objection(to: hello, of: title) { return refuse(connection, problem, at: now) }
        adopt(title.life)
        for older in connections.values where older.purpose == .accepted(hello.from, hello.lane) {
            forget(older.token)
        }
        connection.purpose = .accepted(hello.from, hello.lane)
        connection.phase = .open
        connection.deadline = nil
        connection.parser.bodyLimit = Frame.bodyLimit
        let welcome = Welcome(from: local.id, incarnation: local.incarnation)
        connection.queue(.welcome(welcome))
        flush(connection, at: now)
    }

    private func dismiss(_ connection: Connection, _ former: NodeID, at now: Instant) {
        limiter.warn(
            "removed \(former)", at: now, "raft: \(connection.address) refused: node \(former) was removed")
        connection.sayLast(.removed)
        forget(connection.token)
    }

    /// A node that joins belongs to the incarnation of the first one that greets it by its id, from then on.
    private func adopt(_ life: ClusterTitle.Life) {
        guard local.cluster.life == .unknown, life != .unknown else { return }
        local.cluster.life = life
        if case .later(let incarnation) = life {
            registry.cluster = incarnation
            events.append(.met(registry))
        }
    }

    private func objection(to hello: Hello, of title: ClusterTitle) -> String? {
        guard title.goes(with: local.cluster) else {
            let answer = "it belongs to cluster '\(title)', this is cluster '\(local.cluster)'"
            guard title.name == local.cluster.name else { return answer }
            return answer + ": one of the two was restored or forced anew, and must not mix with the other; empty the "
                + "data directory of the node that is not wanted, and restore it likewise or let it join"
        }
        if hello.to != local.id { return "it looks for node \(hello.to), this is node \(local.id)" }
        guard links[hello.from] != nil else {
            return "node \(hello.from) is not among the peers of this node; add it there, or correct its id"
        }
        return knows(hello.from, hello.incarnation) ? nil : Self.strangerReason(hello.from)
    }
}
