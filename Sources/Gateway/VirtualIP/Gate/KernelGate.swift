import CLinux
import Glibc
import Posix

/// The kernel's own fence: packets for a virtual address are dropped on arrival unless the address is alive, and it
/// ceases to be when its lease ends, whether or not a process of ours still runs.
///
/// A timeout may end up to one tick of the kernel early, never late. But it counts from when the kernel carries the order
/// out, and whoever else changes nf_tables may hold that up for any time. So an order that adds an element also deletes one
/// that ends by itself, and is refused as a whole when that is gone: the former element of the address, or a *permit*.
package struct KernelGate: ~Copyable {
    /// How long handing a timeout to the kernel may take when an address is renewed; timeouts are shorter by it.
    private static let tolerance = Nanoseconds.milliseconds(1)
    private static let attempts = 5

    private var table: NftablesTable
    private let timeouts = GateTimeout(tick: KernelGate.tick(), tolerance: tolerance)
    /// Nil: not known, for another process may have left some.
    private var virtual: Set<IPAddress>?
    /// Those that were opened and not closed, and when the kernel has closed them at the latest.
    private var alive: [IPAddress: Instant] = [:]
    private var permits: UInt32 = 0
    private static let holdMilliseconds: UInt64 = 1000

    /// Closes the gate on `interface`: for the addresses that an earlier process guarded there, and for those that
    /// `guardAddresses` names later. Fails where the kernel has no nf_tables or does not let us.
    package static func closing(_ interface: String) throws(SystemError) -> KernelGate {
        var gate = KernelGate(table: try NftablesTable(table(of: interface), .netdev))
        do throws(SystemError) {
            try gate.table.commit("close the gate of \(interface)") { batch in
                batch.addTable()
                batch.addIngressChain(on: interface)
                for set in NftablesBatch.AddressSet.ofGate { batch.add(set) }
                batch.addGateRules()
            }
        } catch {
            guard error.code == EEXIST else { throw error }
            // An address of an earlier process may still be on the machine, so its gate stays as it is: while rules are
            // replaced, a packet can slip through.
            try gate.table.commit("close the gate of \(interface)") { batch in
                batch.clear(.alive4)
                batch.clear(.alive6)
            }
        }
        return gate
    }

    private init(table: consuming NftablesTable) { self.table = table }

    /// Of this machine's kernel, a millisecond at the least: its coarse clock advances with each.
    package static func tick() -> Nanoseconds {
        var resolution = timespec()
        clock_getres(CLOCK_MONOTONIC_COARSE, &resolution)
        return max(Nanoseconds(UInt64(resolution.tv_nsec)), .milliseconds(1))
    }

    /// See `GateTimeout`.
    package var earliness: Nanoseconds? { timeouts.earliness }

    package static func table(of interface: String) -> String { "gwnode-\(interface)" }

    /// The addresses that arrive only while they are open. `keepingOthers`: beside those that are guarded already; to
    /// be used while any of them may be on the machine, for a packet can slip through while a set is replaced.
    package mutating func guardAddresses(_ addresses: Set<IPAddress>, keepingOthers: Bool) throws(SystemError) {
        guard addresses != virtual else { return }
        try table.commit("guard addresses") { batch in
            if !keepingOthers {
                batch.clear(.virtual4)
                batch.clear(.virtual6)
            }
            for address in addresses { batch.add(address, to: .virtual(address)) }
        }
        virtual = keepingOthers ? nil : addresses
    }

    /// Lets packets for `addresses` in until `end`, the end of a lease that is valid now. False when the kernel did not
    /// take that in time: nothing is let in for them until the next call.
    package mutating func open(_ addresses: [IPAddress], until end: Instant) throws(SystemError) -> Bool {
        if try renew(addresses, until: end) { return true }
        for attempt in 1...Self.attempts where Instant.now() < end {
            guard try begin(addresses, until: end) else { continue }
            // What begins with a permit ends before the lease by as much as that may last.
            if attempt > 1 { return true }
            if try renew(addresses, until: end) { return true }
        }
        for address in addresses { try close(address) }
        return false
    }

    /// False when an address was not open any more, or the kernel took so long that it may let packets in after `end`.
    private mutating func renew(_ addresses: [IPAddress], until end: Instant) throws(SystemError) -> Bool {
        let now = Instant.now()
        guard addresses.allSatisfy({ alive[$0].map { $0 > now } ?? false }),
            let timeout = timeouts.milliseconds(from: now + Self.tolerance, until: end)
        else { return false }
        do throws(SystemError) {
            try table.commit("open the gate") { batch in
                for address in addresses {
                    batch.delete(address, from: .alive(address))
                    batch.add(address, to: .alive(address), timeoutMilliseconds: timeout)
                }
            }
        } catch {
            guard error.code == ENOENT else { throw error }
            for address in addresses { alive[address] = nil }
            return false
        }
        let done = Instant.now()
        for address in addresses { alive[address] = done + .milliseconds(timeout) }
        return done - now <= Self.tolerance
    }

    /// Opens what is closed, or may be open for too long. False when it has to be tried again.
    private mutating func begin(_ addresses: [IPAddress], until end: Instant) throws(SystemError) -> Bool {
        let now = Instant.now()
        guard timeouts.milliseconds(from: now + (timeouts.permit ?? Self.tolerance), until: end) != nil else {
            return false
        }
        let permit = try addPermit()
        let latest = permit?.end ?? now + Self.tolerance
        guard let timeout = timeouts.milliseconds(from: latest, until: end) else { return false }
        // The others stay open for as long as they would be.
        var open = alive.compactMapValues { timeouts.milliseconds(from: latest, until: min($0, end)) }
        for address in addresses { open[address] = timeout }
        do throws(SystemError) {
            try table.commit("open the gate") { batch in
                if let permit { batch.delete(permit.name, from: .alive4) }
                batch.clear(.alive4)
                batch.clear(.alive6)
                for (address, timeout) in open {
                    batch.add(address, to: .alive(address), timeoutMilliseconds: timeout)
                }
            }
        } catch {
            // The permit has ended.
            guard error.code == ENOENT, permit != nil else { throw error }
            return false
        }
        let done = Instant.now()
        let carriedOut = permit == nil ? done : min(latest, done)
        alive = open.mapValues { carriedOut + .milliseconds($0) }
        return permit != nil || done <= latest
    }

    /// An element that lets nothing in and ends by itself; nil where the kernel's clock is too coarse for that.
    private mutating func addPermit() throws(SystemError) -> (name: IPAddress, end: Instant)? {
        guard let duration = timeouts.permit else { return nil }
        permits = permits % 0xff_ffff + 1
        // An address of "this network" (RFC 1122), to which no packet goes.
        let name = IPAddress(v4: permits)
        try table.commit("prepare to open the gate") {
            $0.add(name, to: .alive4, timeoutMilliseconds: duration.count / 1_000_000)
        }
        return (name, .now() + duration)
    }

    /// For a second, requests for new TCP connections to `addresses`, and to no others any more, are dropped.
    package mutating func hold(_ addresses: Set<IPAddress>) throws(SystemError) {
        try table.commit("hold connections back") { batch in
            batch.clear(.held4)
            batch.clear(.held6)
            for address in addresses {
                batch.add(address, to: .held(address), timeoutMilliseconds: Self.holdMilliseconds)
            }
        }
    }

    package mutating func close(_ address: IPAddress) throws(SystemError) {
        guard alive.removeValue(forKey: address) != nil else { return }
        do throws(SystemError) {
            try table.commit("close the gate") { $0.delete(address, from: .alive(address)) }
        } catch {
            // It closed by itself.
            if error.code != ENOENT { throw error }
        }
    }

    /// Takes the gate away. Only for a machine that has none of the addresses any more.
    package mutating func remove() throws(SystemError) { try table.commit("remove the gate") { $0.deleteTable() } }
}
