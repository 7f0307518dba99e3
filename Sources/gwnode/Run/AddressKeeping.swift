import Gateway
import Posix
import Raft

/// How this node keeps virtual addresses, and hears that others gave them up.
enum AddressKeeping {
    /// `onChange` is called from another thread when a turn of the keeper is due.
    static func keeper(
        _ configuration: NodeConfiguration, _ workers: WorkerPool, onChange: @escaping @Sendable () -> Void
    ) throws(StartFailure) -> any AddressKeeper {
        switch configuration.virtualAddress {
        case .none: return VirtualIPManager(provider: NoProvider())
        case .loopback:
            return VirtualIPManager(provider: LoopbackProvider(listeners: LoopbackProvider.Listeners(of: workers)))
        case .exec(let hook):
            do throws(VirtualIPError) {
                return try HookedAddresses(
                    hook, cluster: configuration.cluster, node: configuration.node, onChange: onChange)
            } catch {
                throw StartFailure("\(error)")
            }
        case .netlink(let interface):
            do throws(VirtualIPError) {
                return try onInterface(interface, onChange)
            } catch {
                throw StartFailure("\(error)")
            }
        }
    }

    /// With a guard, or without one where none can run. What a guard can not do, this process can not do either.
    private static func onInterface(
        _ interface: String, _ onChange: @escaping @Sendable () -> Void
    ) throws(VirtualIPError) -> any AddressKeeper {
        do throws(VirtualIPError) {
            let keeper = try GuardedAddresses(
                interface: interface, executable: executablePath() ?? "", onChange: onChange)
            Log.info("vip: fence: \(keeper.fence)")
            return keeper
        } catch {
            let provider = try NetlinkProvider(interface: interface, ownFence: .lease, onChange: onChange)
            Log.warning("vip: fence: \(provider.fence), without a guard: \(error)")
            return VirtualIPManager(provider: provider)
        }
    }

    /// Nil, and said, where the port is taken: others' releases are then waited for.
    static func listener(
        on address: SocketAddress, _ view: SharedClusterView, _ raft: RaftNode<ClusterHost>
    ) -> NoticeListener? {
        do throws(SystemError) {
            return try NoticeListener(
                on: address, key: { node in view.current?.sightings[node]?.report.noticeKey },
                deliver: { notice in
                    raft.leaderReleased(
                        notice.term, by: notice.node, processGone: notice.cause == .processGone)
                })
        } catch {
            Log.warning("vip: the guards of other nodes can not be heard: \(error); \(error.cure)")
            return nil
        }
    }
}
