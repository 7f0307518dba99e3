import Glibc
import Posix

/// Connections that begin with a PROXY header: those that a proxy makes for its clients, and ours to backends.
extension Worker where E: ~Copyable {
    // From proxies.

    mutating func awaitIntroduction(_ slot: Slot) {
        setTimer(.introduction, slot, clientTimeouts.requestHead)
        engine.receive(slot, limit: Scratch.headCapacity)
    }

    mutating func readIntroduction(
        _ slot: Slot, _ client: UnsafeMutablePointer<ClientConnection>, _ bytes: UnsafeMutableRawBufferPointer
    ) {
        let source = UnsafeRawBufferPointer(bytes)
        switch ProxyHeaderParser.parse(source.bytes) {
        case .incomplete:
            engine.unread(slot, source)
            engine.receiveMore(slot)
        case .invalid(let fault): refuseIntroduction(fault, slot)
        case .complete(let header):
            // What came with it is received again, by TLS if the listener has that.
            engine.unread(slot, UnsafeRawBufferPointer(rebasing: source[header.byteCount...]))
            client.pointee.receivedBytes = 0
            serveIntroduced(slot, client, header.client)
        }
    }

    private mutating func serveIntroduced(
        _ slot: Slot, _ client: UnsafeMutablePointer<ClientConnection>, _ named: SocketAddress?
    ) {
        if let named { client.pointee.peer = named }
        client.pointee.address = client.pointee.peer.ip
        guard countPeer(of: &client.pointee) else {
            counters.pointee.connectionsRefused.increase()
            return closeClient(slot, .reset)
        }
        counters.pointee.introductions.accepted.increase()
        client.pointee.state = .open
        if client.pointee.isSecure {
            guard let server = listeners.terms(client.pointee.listener).server else { return closeClient(slot, .reset) }
            engine.secure(slot, with: server, peer: client.pointee.peer)
        }
        awaitFirstRequest(slot)
    }

    /// Load balancers look whether a port is open and say nothing: that is no fault.
    mutating func introductionEnded(_ slot: Slot) {
        if clients[slot].pointee.receivedBytes == 0 { return closeClient(slot, .orderly) }
        refuseIntroduction(.aborted, slot)
    }

    mutating func refuseIntroduction(_ fault: ProxyHeaderFault, _ slot: Slot) {
        note(fault, from: clients[slot].pointee.peer)
        closeClient(slot, .reset)
    }

    mutating func refuseIntroduction(_ fault: ProxyHeaderFault, _ descriptor: Int32, from peer: SocketAddress) {
        note(fault, from: peer)
        Socket.resetWhenClosed(descriptor)
        close(descriptor)
    }

    private mutating func note(_ fault: ProxyHeaderFault, from peer: SocketAddress) {
        counters.pointee.introductions.refused[fault].pointee.increase()
        guard let others = introductionPace.next(at: now) else { return }
        Log.info(
            "proxy: a connection of \(peer) was refused, it is to begin with a PROXY header: \(fault.name)\(others)")
    }

    // To backends.

    /// Tells a backend, before anything else, whose connection this is; false when that can not be sent. The transport
    /// has done so on a secured one.
    mutating func introduce(
        _ client: UnsafeMutablePointer<ClientConnection>, to slot: Slot, for clientSlot: Slot
    ) -> Bool {
        let upstream = upstreams[slot]
        if upstream.pointee.security != nil { return true }
        let header = introduction(of: client, clientSlot)
        if header.isEmpty { return true }
        upstream.pointee.sentBytes += UInt64(header.count)
        switch engine.send(slot, header) {
        case .done: return true
        case .pending, .failed: return false
        }
    }

    /// What begins a connection to the client's backend; empty where nothing does.
    func introduction(
        of client: UnsafeMutablePointer<ClientConnection>, _ clientSlot: Slot
    ) -> UnsafeRawBufferPointer {
        guard let version = client.pointee.route?.pointee.introduces else { return .empty }
        let address = client.pointee.address
        // Whoever a trusted proxy names has a port that nobody knows.
        let port = address == client.pointee.peer.ip ? client.pointee.peer.port : 0
        let own = engine.localAddress(clientSlot) ?? SocketAddress(ip: IPAddress(v4: 0), port: 0)
        let count = ProxyHeaderWriter.write(
            version, client: SocketAddress(ip: address, port: port), server: own, into: headBuffer)
        return UnsafeRawBufferPointer(rebasing: headBuffer[..<count])
    }
}
