import CLinux
import Glibc
import Posix
import Raft
import TLS
import Testing

/// Transports in one poller each, on loopback, driven by hand.
@Suite(.serialized, .timeLimit(.minutes(1)))
struct TransportTests {
    final class Peer {
        let id: NodeID
        let poller: SharedPoller
        let transport: Transport
        let address: SocketAddress
        var events: [Transport.Event] = []

        init(
            _ id: UInt64, cluster: String = "test", incarnation: UInt64? = nil, registry: PeerRegistry = PeerRegistry(),
            certificate: NodeCertificate? = nil,
            at address: SocketAddress = SocketAddress(ip: IPAddress(v4: 0x7f00_0001), port: 0)
        ) throws {
            self.id = NodeID(id)
            poller = try SharedPoller()
            let listener = try Socket.listen(on: address)
            self.address = try #require(Socket.localAddress(of: listener.raw))
            transport = try Transport(
                local: .init(cluster: ClusterTitle(cluster), id: NodeID(id), incarnation: incarnation ?? id),
                certificate: certificate, listener: listener,
                registry: registry, poller: poller, firstToken: 1, resolve: { _ in false })
        }

        func turn() throws {
            let now = Instant.now()
            transport.tick(at: now)
            for event in try poller.poll() { transport.handle(token: event.token, readiness: event.readiness, at: now) }
            transport.flush(at: now)
            events += transport.takeEvents()
        }

        func isConnected(to id: UInt64) -> Bool {
            transport.peers.contains { $0.id == NodeID(id) && $0.isConnected }
        }

        var messages: [Message] {
            events.compactMap { event in
                if case .message(let message, _) = event { message } else { nil }
            }
        }

        var gone: [NodeID] {
            events.compactMap { event in
                if case .processGone(let node) = event { node } else { nil }
            }
        }
    }

    /// Turns all until `predicate` holds; false when it does not within some seconds.
    private func run(_ peers: Peer..., until predicate: () -> Bool) throws -> Bool {
        let deadline = Instant.now() + .seconds(5)
        while Instant.now() < deadline {
            for peer in peers { try peer.turn() }
            if predicate() { return true }
        }
        return false
    }

    private func introduce(_ peers: Peer...) {
        let book = peers.map { PeerAddress(id: $0.id, address: $0.address.description) }
        for peer in peers { peer.transport.connect(to: book) }
    }

    private let heartbeat = Message.heartbeat(Heartbeat(term: Term(1), stamp: .never, commit: LogIndex(1)))

    @Test func messagesArriveOnBothLanesInOrder() throws {
        let one = try Peer(1)
        let two = try Peer(2)
        introduce(one, two)
        #expect(try run(one, two) { one.isConnected(to: 2) && two.isConnected(to: 1) })
        let large = Message.proposal(
            ForwardedProposal(
                id: ProposalID(node: NodeID(1), boot: 1, sequence: 1), command: [UInt8](repeating: 5, count: 3 << 20)))
        #expect(
            try run(one, two) {
                if two.messages.isEmpty { one.transport.send(large, to: NodeID(2)) }
                return two.messages.contains(large)
            })
        two.events = []
        for commit in 1...100 as ClosedRange<UInt64> {
            one.transport.send(
                .heartbeat(Heartbeat(term: Term(1), stamp: .never, commit: LogIndex(commit))), to: NodeID(2))
        }
        #expect(try run(one, two) { two.messages.count { $0.lane == .control } == 100 })
        let commits = two.messages.compactMap { message in
            if case .heartbeat(let heartbeat) = message { heartbeat.commit.number } else { nil }
        }
        #expect(commits == Array(1...100))
    }

    @Test func aFullQueueDropsAndCounts() throws {
        let one = try Peer(1)
        let two = try Peer(2)
        introduce(one, two)
        #expect(try run(one, two) { one.isConnected(to: 2) })
        for _ in 0..<100_000 { one.transport.send(heartbeat, to: NodeID(2)) }
        let dropped = one.transport.peers[0].framesDropped
        #expect(dropped > 0)
        #expect(try run(one, two) { two.messages.count >= 1000 })
    }

    @Test func aRefusedRedialIsProofThatTheProcessIsGone() throws {
        let one = try Peer(1)
        var two: Peer? = try Peer(2)
        introduce(one, two!)
        #expect(try run(one, two!) { one.isConnected(to: 2) })
        two = nil
        #expect(try run(one) { one.gone == [NodeID(2)] })
    }

    @Test func aPeerThatComesBackIsFoundAgain() throws {
        let one = try Peer(1)
        var two: Peer? = try Peer(2)
        let address = two!.address
        introduce(one, two!)
        #expect(try run(one, two!) { one.isConnected(to: 2) })
        two = nil
        #expect(try run(one) { !one.isConnected(to: 2) })
        let again = try Peer(2, at: address)
        again.transport.connect(to: [PeerAddress(id: NodeID(1), address: one.address.description)])
        #expect(try run(one, again) { one.isConnected(to: 2) && again.isConnected(to: 1) })
    }

    @Test func anotherClusterIsRefused() throws {
        let one = try Peer(1)
        let two = try Peer(2, cluster: "other")
        introduce(one, two)
        #expect(try !run(one, two, turns: 50) { one.isConnected(to: 2) || two.isConnected(to: 1) })
    }

    @Test func aPeerWithALostDiskIsRefused() throws {
        let one = try Peer(1, registry: PeerRegistry([NodeID(2): 77]))
        let two = try Peer(2, incarnation: 78)
        introduce(one, two)
        #expect(try !run(one, two, turns: 50) { one.isConnected(to: 2) || two.isConnected(to: 1) })
    }

    @Test func theFirstMeetingIsToBeRemembered() throws {
        let one = try Peer(1)
        let two = try Peer(2, incarnation: 78)
        introduce(one, two)
        #expect(try run(one, two) { one.isConnected(to: 2) })
        let met = one.events.compactMap { event in
            if case .met(let registry) = event { registry.incarnations } else { nil }
        }
        #expect(met == [[NodeID(2): 78]])
    }

    @Test(arguments: [
        [UInt8]("GET / HTTP/1.1\r\nHost: x\r\n\r\n".utf8),
        [UInt8](repeating: 0xff, count: 100),
        FrameBody.message(.newerTerm(NewerTerm(term: Term(5)))).encoded(),
        FrameBody.info([1]).encoded(),
        FrameBody.hello(Hello(cluster: "test", from: NodeID(9), to: NodeID(1), incarnation: 1, lane: .control))
            .encoded(),
        FrameBody.hello(Hello(cluster: "test", from: NodeID(2), to: NodeID(3), incarnation: 1, lane: .control))
            .encoded(),
    ])
    func aStrangerIsClosedAndNothingComesOfIt(bytes: [UInt8]) throws {
        let one = try Peer(1)
        one.transport.connect(to: [PeerAddress(id: NodeID(2), address: "127.0.0.1:1")])
        let socket = try Socket.startConnecting(to: one.address)
        #expect(send(socket.raw, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count)
        var isClosed = false
        #expect(
            try run(one) {
                var buffer = [UInt8](repeating: 0, count: 1024)
                let count = recv(socket.raw, &buffer, buffer.count, 0)
                isClosed = count == 0 || (count < 0 && errno == ECONNRESET)
                return isClosed
            })
        #expect(one.messages.isEmpty)
    }

    /// A certificate for a node, as it lies on its disk.
    private func certify(
        _ id: UInt64, of cluster: String = "test", by authority: CertificateAuthority,
        trusting other: CertificateAuthority
    ) throws -> NodeCertificate {
        let directory = TemporaryDirectory()
        let name = NodeName(cluster: cluster, node: id)
        let files = NodeCertificateFiles(
            authority: directory.path + "/ca", certificate: directory.path + "/crt", key: directory.path + "/key")
        let (certificate, key) = try authority.issue(for: name, hosts: [], days: 1)
        try replaceFile(files.authority, with: other.certificate.text)
        try replaceFile(files.certificate, with: certificate.text)
        try replaceFile(files.key, with: key.text)
        return try withExtendedLifetime(directory) { try NodeCertificate(files, name: name, at: .now()) }
    }

    @Test func certifiedNodesTalk() throws {
        let authority = try CertificateAuthority.make(name: "test", days: 1).authority
        let one = try Peer(1, certificate: certify(1, by: authority, trusting: authority))
        let two = try Peer(2, certificate: certify(2, by: authority, trusting: authority))
        introduce(one, two)
        #expect(try run(one, two) { one.isConnected(to: 2) && two.isConnected(to: 1) })
        let large = Message.proposal(
            ForwardedProposal(
                id: ProposalID(node: NodeID(1), boot: 1, sequence: 1), command: [UInt8](repeating: 5, count: 3 << 20)))
        #expect(
            try run(one, two) {
                if two.messages.isEmpty { one.transport.send(large, to: NodeID(2)) }
                return two.messages.contains(large)
            })
    }

    /// Each is sure of itself, and none is let in: of another authority, another node's, another cluster's, none at all.
    @Test(arguments: ["authority", "node", "cluster", "none"])
    func whoeverIsNotCertifiedStaysOut(fault: String) throws {
        let authority = try CertificateAuthority.make(name: "test", days: 1).authority
        let rogue = try CertificateAuthority.make(name: "test", days: 1).authority
        let certificate: NodeCertificate? =
            switch fault {
            case "authority": try certify(2, by: rogue, trusting: authority)
            case "node": try certify(3, by: authority, trusting: authority)
            case "cluster": try certify(2, of: "other", by: authority, trusting: authority)
            case _: nil
            }
        let one = try Peer(1, certificate: certify(1, by: authority, trusting: authority))
        let two = try Peer(2, certificate: certificate)
        introduce(one, two)
        var rounds = 0
        #expect(
            try !run(one, two, turns: 3000) {
                two.transport.send(heartbeat, to: NodeID(1))
                rounds += 1
                return one.isConnected(to: 2) || two.isConnected(to: 1)
            })
        #expect(rounds == 3000)
        #expect(one.messages.isEmpty && two.messages.isEmpty)
    }

    /// A fixed number of rounds, for what must not happen.
    private func run(_ peers: Peer..., turns: Int, until predicate: () -> Bool) throws -> Bool {
        for _ in 0..<turns {
            for peer in peers { try peer.turn() }
            if predicate() { return true }
        }
        return false
    }
}
