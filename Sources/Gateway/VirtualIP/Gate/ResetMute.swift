import Posix

/// Keeps this machine's kernel from resetting connections that it does not know yet, because they are still on their way
/// from another machine whose addresses it has already: an nftables table on what the machine sends, which is there only
/// as long as it is needed.
package struct ResetMute: ~Copyable {
    private var table: NftablesTable
    private var isOn = false

    /// Takes away what an earlier process left. Fails where the kernel has no nf_tables or does not let us.
    /// - Parameter purpose: Of this one, beside which there may be others.
    package init(interface: String, purpose: String = "mute") throws(SystemError) {
        var table = try NftablesTable("gwnode-\(purpose)-\(interface)", .inet)
        try table.commit("clear the mute of resets") { $0.clearTable() }
        self.table = table
    }

    /// Ends by itself after `limit`.
    package mutating func begin(_ addresses: [IPAddress], for limit: Nanoseconds) throws(SystemError) {
        try table.commit("mute resets") { batch in
            batch.clearTable()
            batch.addTable()
            batch.addOutputChain()
            for set in NftablesBatch.AddressSet.ofMute { batch.add(set) }
            batch.addMuteRules()
            for address in addresses {
                batch.add(address, to: .muted(address), timeoutMilliseconds: limit.count / 1_000_000)
            }
        }
        isOn = true
    }

    package mutating func end() throws(SystemError) {
        guard isOn else { return }
        isOn = false
        try table.commit("end the mute of resets") { $0.deleteTable() }
    }
}
