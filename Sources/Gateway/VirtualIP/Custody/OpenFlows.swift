import Posix
import Synchronization

/// Asks the kernel, on a thread of its own, which connections there are to addresses that are about to leave: with many
/// connections it answers only after milliseconds, for which the addresses do not wait.
final class OpenFlows: Sendable {
    private let addresses: Set<IPAddress>
    private let early = Mutex<Set<ConnectionRecord.Flow>>([])
    private let thread = Mutex<Thread?>(nil)

    /// To be made while the addresses are there. The kernel forgets what it resets.
    init(to addresses: Set<IPAddress>) {
        self.addresses = addresses
        do throws(SystemError) {
            let started = try Thread(name: "census", stackBytes: 256 << 10) { [self] in
                let flows = ask()
                early.withLock { $0 = flows }
            }
            thread.withLock { $0 = started }
        } catch { Log.warning("guard: connections that end at this moment are not known: \(error)") }
    }

    /// To be called once, when nobody can connect to the addresses any more: clients may have since the first answer.
    func all() -> Set<ConnectionRecord.Flow> {
        thread.withLock { $0.take() }?.join()
        return early.withLock { $0 }.union(ask())
    }

    private func ask() -> Set<ConnectionRecord.Flow> { Set(ConnectionCensus.knownFlows(to: addresses)) }
}
