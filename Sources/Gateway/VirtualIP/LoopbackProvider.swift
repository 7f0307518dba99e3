import Glibc
import Posix

/// Virtual addresses in 127.0.0.0/8, which every Linux machine has: holding one means to listen on it. Needs no
/// privilege, so it serves demos and tests on one machine.
package final class LoopbackProvider: VirtualIPProvider {
    /// How the worker pool opens and closes listeners. Both take effect before they return.
    package struct Listeners {
        package let open: (SocketAddress) throws(SystemError) -> ListenerID
        package let close: (ListenerID) -> Void

        package init(
            open: @escaping (SocketAddress) throws(SystemError) -> ListenerID, close: @escaping (ListenerID) -> Void
        ) {
            self.open = open
            self.close = close
        }

        package init(of pool: WorkerPool) {
            open = { address throws(SystemError) in try pool.addListener(address).0 }
            close = { pool.removeListener($0) }
        }
    }

    private let listeners: Listeners
    private var ports: [UInt16] = []
    private var openListeners: [SocketAddress: ListenerID] = [:]
    private var held: [IPAddress] = []

    package init(listeners: Listeners) { self.listeners = listeners }

    package var fence: Fence { .lease }
    package var hasCarrier: Bool { true }

    /// Fails only when not one port can be opened: a port that something else uses must not take the others along.
    package func claim(_ address: IPAddress, until end: Instant) throws(VirtualIPError) {
        guard address.isIPv4, address.isLoopback else {
            throw VirtualIPError(
                "\(address) is not in 127.0.0.0/8",
                cure: "use such an address with the loopback provider, or set virtualAddress.provider to netlink")
        }
        if !held.contains(address) { held.append(address) }
        let failures = openMissing(on: address)
        if let first = failures.first, openListeners.keys.allSatisfy({ $0.ip != address }) {
            held.removeAll { $0 == address }
            throw first
        }
    }

    package func extend(_ held: [IPAddress], until end: Instant) -> Bool { true }

    package func announce(_ address: IPAddress) {}

    package func hold(_ hold: ArrivalHold, for addresses: [IPAddress]) {}

    package func release(_ address: IPAddress) {
        held.removeAll { $0 == address }
        close { $0.ip == address }
    }

    package func hasLost(anyOf held: [IPAddress]) -> Bool { false }

    package func configure(addresses: [IPAddress], ports: [UInt16]) {
        guard ports != self.ports else { return }
        self.ports = ports
        close { !ports.contains($0.port) }
        for address in held { _ = openMissing(on: address) }
    }

    private func openMissing(on address: IPAddress) -> [VirtualIPError] {
        var failures: [VirtualIPError] = []
        for port in ports {
            let endpoint = SocketAddress(ip: address, port: port)
            guard openListeners[endpoint] == nil else { continue }
            do throws(SystemError) {
                openListeners[endpoint] = try listeners.open(endpoint)
            } catch {
                let failure = VirtualIPError(
                    "cannot serve \(endpoint): \(SystemError.message(for: error.code))", cure: error.cure)
                Log.error("vip: \(failure)")
                failures.append(failure)
            }
        }
        return failures
    }

    private func close(where isUnwanted: (SocketAddress) -> Bool) {
        for (endpoint, listener) in openListeners where isUnwanted(endpoint) {
            listeners.close(listener)
            openListeners[endpoint] = nil
        }
    }
}
