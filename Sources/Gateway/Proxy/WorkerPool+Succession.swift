import Glibc
import Posix
import Synchronization

/// Sockets and connections that go from one process of this machine to the next.
extension WorkerPool {
    package var count: Int { workers.count }

    /// Takes over sockets that listen already; `addListener` uses them where it is asked for their addresses.
    package func inherit(_ sockets: [SocketAddress: [Int32]]) { state.withLock { $0.inherited = sockets } }

    /// Those of them that were not asked for yet.
    package var inherited: Set<SocketAddress> { state.withLock { Set($0.inherited.keys) } }

    package func dropInherited() {
        let sockets = state.withLock { state in
            defer { state.inherited = [:] }
            return state.inherited
        }
        for descriptor in sockets.values.joined() { close(descriptor) }
    }

    /// Copies of the listening sockets of all workers, which are the caller's.
    package var sharedListeners: [SocketAddress: [Int32]] {
        state.withLock { state in
            var shared: [SocketAddress: [Int32]] = [:]
            for (address, descriptors) in zip(state.addresses, state.listeners) where !descriptors.isEmpty {
                if let address { shared[address, default: []] += descriptors.map { FileDescriptor.copy(of: $0) } }
            }
            return shared
        }
    }

    /// Leaves listeners, and connections as soon as they rest, to another process of this machine. The threads end when
    /// all others have ended too, or at the deadline.
    package func handOver(_ departing: DepartingConnections, until deadline: Instant) {
        state.withLock { state in
            state.isHandedOver = true
            for index in state.listeners.indices { state.listeners[index] = [] }
            for worker in workers { post(.handOver(departing, until: deadline), to: worker) }
        }
    }

    /// Stops listening on these addresses, also for another process that has copies of the sockets.
    package func removeListeners(on addresses: Set<IPAddress>) {
        let listeners = state.withLock { state in
            state.addresses.indices.filter { state.addresses[$0].map { addresses.contains($0.ip) } ?? false }
        }
        for listener in listeners { removeListener(ListenerID(listener)) }
    }

    /// The sockets of a former process that still listen there.
    func takeInherited(_ address: SocketAddress) -> [Int32] {
        let descriptors = state.withLock { $0.inherited.removeValue(forKey: address) } ?? []
        return descriptors.filter { descriptor in
            let isListening = Socket.isListening(descriptor)
            if !isListening { close(descriptor) }
            return isListening
        }
    }

    package var haveEnded: Bool { workers.allSatisfy { $0.hasEnded.load(ordering: .acquiring) } }
}
