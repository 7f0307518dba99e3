import Posix

/// Keeps this machine's kernel from resetting connections that it does not know yet, because they are still on their way
/// from another machine whose addresses it has already: rules on what the machine sends, for addresses in sets whose
/// elements end by themselves.
///
/// Table and rules stay: to take them away, the kernel waits for tens of milliseconds under the lock that the renewal of the
/// gate needs, and leases run out. The socket is open only while it is used: a process that has one ends up to 11 ms later,
/// for the kernel first frees what any table lost.
package struct ResetMute: ~Copyable {
    private let name: String
    /// Nil while nothing is muted.
    private var table: NftablesTable?

    /// Replaces what an earlier process left. Fails where the kernel has no nf_tables or does not let us.
    /// - Parameter purpose: Of this one, beside which there may be others.
    package init(interface: String, purpose: String) throws(SystemError) {
        let name = "gwnode-\(purpose)-\(interface)"
        var table = try NftablesTable(name, .inet)
        try table.commit("prepare the mute of resets") { batch in
            batch.clearTable()
            batch.addTable()
            batch.addOutputChain()
            for set in NftablesBatch.AddressSet.ofMute { batch.add(set) }
            batch.addMuteRules()
        }
        self.name = name
        self.table = nil
    }

    /// Ends by itself after `limit`.
    package mutating func begin(_ addresses: [IPAddress], for limit: Nanoseconds) throws(SystemError) {
        try end()
        var table = try NftablesTable(name, .inet)
        try table.commit("mute resets") { batch in
            for address in addresses {
                batch.add(address, to: .muted(address), timeoutMilliseconds: limit.count / 1_000_000)
            }
        }
        self.table = consume table
    }

    package mutating func end() throws(SystemError) {
        guard var table = table.take() else { return }
        try table.commit("end the mute of resets") { batch in
            batch.clear(.muted4)
            batch.clear(.muted6)
        }
    }
}
