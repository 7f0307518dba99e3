import CLinux
import Glibc
import Posix

/// The kernel's own fence: packets for a virtual address are dropped on arrival unless the address is alive, and it
/// ceases to be when its lease ends, whether or not a process of ours still runs.
///
/// A timeout may end up to one tick of the kernel early, never late.
package struct KernelGate: ~Copyable {
    /// How long handing a timeout to the kernel may take; timeouts are shorter by it.
    private static let tolerance = Nanoseconds.milliseconds(1)
    private static let attempts = 5

    private var table: NftablesTable
    /// Nil: not known, for another process may have left some.
    private var virtual: Set<IPAddress>?
    /// Those that were opened and not closed; the kernel may have closed them since.
    private var alive: Set<IPAddress> = []
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

    /// Lets packets for `addresses` in until `end`, the end of a lease that is valid now.
    ///
    /// The kernel counts a timeout from when it gets it, so a pause of this process in between would make it late. One
    /// that shows afterwards is put right at once; when that does not help, the gate is closed.
    package mutating func open(_ addresses: [IPAddress], until end: Instant) throws(SystemError) {
        for _ in 0..<Self.attempts {
            let now = Instant.now()
            guard end > now + Self.tolerance else { break }
            let isPlaced = try place(addresses, timeoutMilliseconds: (end - now - Self.tolerance).count / 1_000_000)
            if isPlaced, Instant.now() - now <= Self.tolerance { return }
        }
        for address in addresses { try close(address) }
        throw SystemError("open the gate", code: ETIME)
    }

    /// False when an address closed by itself in the meantime: it has to be placed anew.
    private mutating func place(
        _ addresses: [IPAddress], timeoutMilliseconds: UInt64
    ) throws(SystemError) -> Bool {
        let known = alive
        do throws(SystemError) {
            try table.commit("open the gate") { batch in
                for address in addresses {
                    if known.contains(address) { batch.delete(address, from: .alive(address)) }
                    batch.add(address, to: .alive(address), timeoutMilliseconds: max(timeoutMilliseconds, 1))
                }
            }
        } catch {
            guard error.code == ENOENT, !known.isDisjoint(with: addresses) else { throw error }
            alive.subtract(addresses)
            return false
        }
        alive.formUnion(addresses)
        return true
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
        guard alive.remove(address) != nil else { return }
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
