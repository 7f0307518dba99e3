import Posix
import Synchronization

/// Keeps this machine's kernel from resetting connections that it does not know yet, because they are still on their way
/// from another machine whose addresses it has already: rules on what the machine sends, for addresses in sets whose
/// elements end by themselves.
///
/// Table, rules and socket stay, and only elements come and go. To take a chain away, or to close a socket, the kernel
/// waits for up to tens of milliseconds under the lock that the renewal of the gate needs, and leases run out.
package final class ResetMute: Sendable {
    /// As long as this lives. Another process that has it too keeps the kernel from closing it, and so from holding up the
    /// end of this one.
    let socket: Int32
    private let table: Mutex<NftablesTable>

    /// Takes over what an earlier process left. Fails where the kernel has no nf_tables or does not let us.
    package init(interface: String) throws(SystemError) {
        var table = try NftablesTable("gwnode-rebuild-\(interface)", .inet)
        try table.commit("prepare the mute of resets") { batch in
            batch.keepTable()
            batch.addOutputChain()
            for set in NftablesBatch.AddressSet.ofMute { batch.add(set) }
            batch.clearRules()
            batch.addMuteRules()
        }
        socket = table.socket
        self.table = Mutex(table)
    }

    /// Of these addresses, and no others any more. Ends by itself after `limit`.
    package func begin(_ addresses: [IPAddress], for limit: Nanoseconds) throws(SystemError) {
        try table.withLock { table throws(SystemError) in
            try table.commit("mute resets") { batch in
                batch.clear(.muted4)
                batch.clear(.muted6)
                for address in addresses {
                    batch.add(address, to: .muted(address), timeoutMilliseconds: limit.count / 1_000_000)
                }
            }
        }
    }

    package func end() throws(SystemError) {
        try table.withLock { table throws(SystemError) in
            try table.commit("end the mute of resets") { batch in
                batch.clear(.muted4)
                batch.clear(.muted6)
            }
        }
    }
}
