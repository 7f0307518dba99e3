import CLinux
import Glibc
import Posix
import Synchronization

/// Watches one interface for its carrier and for addresses that disappear, on a thread of its own, and wakes the
/// thread that must act.
package final class LinkMonitor: Sendable {
    private let shared: Shared
    private let thread: Thread

    private final class Shared: Sendable {
        let interface: UInt32
        let hasCarrier: Atomic<Bool>
        let removals = Atomic<UInt64>(0)
        let stop: WakeEvent
        let onChange: @Sendable () -> Void

        init(_ interface: UInt32, hasCarrier: Bool, onChange: @escaping @Sendable () -> Void) throws(SystemError) {
            self.interface = interface
            self.hasCarrier = Atomic(hasCarrier)
            self.onChange = onChange
            stop = try WakeEvent()
        }

        func note(_ event: NetlinkEvent) {
            switch event {
            case .link(interface, let isUp):
                if hasCarrier.exchange(isUp, ordering: .acquiringAndReleasing) != isUp { onChange() }
            case .addressRemoved(_, interface):
                removals.add(1, ordering: .acquiringAndReleasing)
                onChange()
            case .link, .addressRemoved, .address, .acknowledgement, .endOfList, .other:
                break
            }
        }

        /// Events were lost, so everything may have changed.
        func noteOverrun() {
            if var socket = try? NetlinkSocket(), let isUp = try? socket.isUp(interface: interface) {
                note(.link(interface: interface, isUp: isUp))
            }
            removals.add(1, ordering: .acquiringAndReleasing)
            onChange()
        }
    }

    /// `onChange` runs on the monitor's thread after each change of the carrier and each removed address.
    package init(interface: UInt32, onChange: @escaping @Sendable () -> Void) throws(SystemError) {
        let socket = try NetlinkSocket(groups: [.links, .ipv4Addresses, .ipv6Addresses]).take()
        var query = try NetlinkSocket()
        let shared = try Shared(interface, hasCarrier: query.isUp(interface: interface), onChange: onChange)
        self.shared = shared
        thread = try Thread(name: "link", stackBytes: 256 << 10) { Self.watch(NetlinkSocket(owning: socket), shared) }
    }

    package var hasCarrier: Bool { shared.hasCarrier.load(ordering: .acquiring) }

    /// Grows with each address that was removed from the interface, by whomever.
    package var removals: UInt64 { shared.removals.load(ordering: .acquiring) }

    /// Ends the thread.
    package func stop() {
        shared.stop.signal()
        thread.join()
    }

    private static func watch(_ socket: consuming NetlinkSocket, _ shared: Shared) {
        var polls = [
            pollfd(fd: socket.raw, events: Int16(POLLIN), revents: 0),
            pollfd(fd: shared.stop.raw, events: Int16(POLLIN), revents: 0),
        ]
        while true {
            _ = poll(&polls, nfds_t(polls.count), -1)
            if polls[1].revents != 0 { return }
            guard polls[0].revents != 0 else { continue }
            do throws(SystemError) {
                for event in try socket.receive("watch the interface") { shared.note(event) }
            } catch {
                if error.code == ENOBUFS { shared.noteOverrun() }
            }
        }
    }
}
