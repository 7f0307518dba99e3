import Gateway
import Posix
import Raft

/// How this node keeps virtual addresses, and hears that others gave them up.
enum AddressKeeping {
    /// `onChange` is called from another thread when a turn of the keeper is due.
    static func keeper(
        _ configuration: NodeConfiguration, _ workers: WorkerPool, _ custody: Custody?, inheriting passed: PassedGuard?,
        onChange: @escaping @Sendable () -> Void
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
                return try onInterface(interface, custody, inheriting: passed, onChange)
            } catch {
                throw StartFailure("\(error)")
            }
        }
    }

    /// With a guard, or without one where none can run. What a guard can not do, this process can not do either.
    private static func onInterface(
        _ interface: String, _ custody: Custody?, inheriting passed: PassedGuard?,
        _ onChange: @escaping @Sendable () -> Void
    ) throws(VirtualIPError) -> any AddressKeeper {
        if let passed {
            Log.info("vip: going on with the guard of the former process")
            return try GuardedAddresses(adopting: passed, interface: interface, custody: custody, onChange: onChange)
        }
        let claim = try InterfaceClaim(of: interface)
        do throws(VirtualIPError) {
            let keeper = try GuardedAddresses(interface: interface, claim: claim, custody: custody, onChange: onChange)
            Log.info("vip: fence: \(keeper.fence)")
            return keeper
        } catch {
            let provider = try NetlinkProvider(
                interface: interface, ownFence: .lease, claim: claim, onChange: onChange)
            Log.warning("vip: fence: \(provider.fence), without a guard: \(error)")
            return VirtualIPManager(provider: provider)
        }
    }

    /// Nil, and said, where the port is taken: others' releases are then waited for.
    static func listener(
        on address: SocketAddress, inheriting inherited: Int32?, _ view: SharedClusterView,
        _ raft: RaftNode<ClusterHost>, _ heir: ConnectionHeir?, _ outliving: OutlivingConnections?
    ) -> NoticeListener? {
        do throws(SystemError) {
            let key: @Sendable (NodeID) -> NoticeKey? = { node in view.current?.sightings[node]?.report.noticeKey }
            return try NoticeListener(on: address, inheriting: inherited, key: key) { arrival in
                switch arrival {
                case .notice(let notice, let sender):
                    switch notice.cause {
                    case .processGone: raft.leaderReleased(notice.term, by: notice.node, processGone: true)
                    case .leaseExpired: raft.leaderReleased(notice.term, by: notice.node, processGone: false)
                    case .borrowerGone: raft.borrowerGone(notice.node, boot: notice.boot)
                    }
                    if notice.connections > 0, let key = key(notice.node) {
                        outliving?.rebuilder.bequeathed(by: notice.node)
                        heir?.bequeathed(notice, key: key, by: sender)
                    }
                case .bequest(let note): heir?.received(note)
                }
            }
        } catch {
            Log.warning("vip: the guards of other nodes can not be heard: \(error); \(error.cure)")
            return nil
        }
    }
}
