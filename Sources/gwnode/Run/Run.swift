import Gateway
import Glibc
import Posix
import Raft
import Synchronization

/// `gwnode run`: one node, until a signal or a failure that it can not go on after.
enum Run {
    private static let signals = [SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2]

    /// Returns after a stop that was asked for.
    static func start(configPath: String) throws(CommandFailure) -> ExitCode {
        defer { Log.flush() }
        do throws(StartFailure) {
            return try run(configPath, in: nil)
        } catch {
            throw CommandFailure(.failure, lines: error.description.split(separator: "\n").map(String.init))
        }
    }

    /// A process that another one of this node has started to take its place.
    static func takeOver(configPath: String) -> ExitCode {
        guard let predecessor = Predecessor() else { return .failure }
        defer { Log.flush() }
        do throws(StartFailure) {
            return try run(configPath, in: predecessor)
        } catch {
            predecessor.tell(.refused(error.description.replacing("\n", with: "; ")))
            Log.error("upgrade: this process does not take over: \(error)")
            return .failure
        }
    }

    /// - Parameter predecessor: in whose place; nil for a node that did not run.
    private static func run(_ path: String, in predecessor: Predecessor?) throws(StartFailure) -> ExitCode {
        // Before any other thread, so that all of them leave the signals to this one.
        let arrivals = try StartFailure.wrap { () throws(SystemError) in try SignalDescriptor(signals) }
        ignoreBrokenPipes()
        let configuration = try read(path)
        Log.setFormat(configuration.logFormat)
        Log.setLevel(configuration.logLevel)
        for advice in configuration.advice { Log.warning("config: \(path): \(advice)") }
        try checkHook(configuration)
        raiseDescriptorLimit()
        let seed = try seed(of: configuration)

        let node = try GatewayNode(configuration, path: path, seed: seed, predecessor: predecessor)
        let manager = ServiceManager()
        Log.info(
            "gwnode \(gwnodeVersion) node \(configuration.node.name) (\(configuration.node.id)) of cluster "
                + "\(configuration.cluster), pid \(getpid())",
            [
                .event("node-started"), .node(configuration.node.id.number), .name(configuration.node.name),
                .cluster(configuration.cluster), .version(gwnodeVersion), .pid(getpid()),
            ])
        manager.ready()
        let failure = wait(arrivals, node, manager, path)
        switch node.replacement.withLock({ $0 }) {
        case .done:
            Log.info("stopped: another process has taken over, and this one has nothing left to serve")
            return .success
        case .failed(let reason): throw StartFailure("upgrade: \(reason)")
        case .none, .underWay: break
        }
        manager.stopping()
        node.stop()
        guard let failure else { return .success }
        guard failure == .removed else { throw StartFailure(failure.description) }
        Log.info(
            "stopped: this node was removed from cluster \(configuration.cluster); its data directory "
                + "\(configuration.dataDirectory) can be deleted, and its id is never used again")
        return .removed
    }

    /// Until the node shall stop; the reason when nobody asked for it.
    private static func wait(
        _ arrivals: borrowing SignalDescriptor, _ node: GatewayNode, _ manager: ServiceManager, _ path: String
    ) -> RaftNodeError? {
        var waiting = pollfd(fd: arrivals.raw, events: Int16(POLLIN), revents: 0)
        let pause = min(manager.watchdogInterval ?? .seconds(1), .seconds(1))
        var isSettled = false
        while true {
            if poll(&waiting, 1, Int32(pause.milliseconds)) == 0, !isSettled {
                isSettled = true
                releaseCode()
            }
            if let failure = node.failureReason { return failure }
            if node.isReplaced { return nil }
            manager.keepAlive()
            while let signal = arrivals.next() {
                switch signal {
                case SIGHUP:
                    reload(path)
                    node.reloadCertificates()
                case SIGUSR1: node.reopenLogs()
                case SIGUSR2: node.upgrade { _ in }
                default:
                    if node.isBeingReplaced {
                        // Nothing is stopped half way; afterwards this process has only the rest to end.
                        Log.info("on signal \(signal): after the upgrade, what is left here ends")
                        node.stopRemains()
                        continue
                    }
                    Log.info("stopping on signal \(signal)", [.event("node-stopping"), .signal(signal)])
                    return nil
                }
            }
        }
    }

    private static func releaseCode() {
        do throws(SystemError) { try ProgramCode.release() } catch {
            Log.debug("the code that only the start needed stays in memory: \(error)")
        }
    }

    /// Takes over what of the node file can change while the node runs.
    private static func reload(_ path: String) {
        do throws(StartFailure) {
            let configuration = try read(path)
            Log.setLevel(configuration.logLevel)
            Log.info(
                "config: \(path) read again; all but logLevel needs a restart",
                [.event("node-file-read"), .path(path)])
        } catch {
            Log.error("config: not reloaded: \(error)", [.event("node-file-refused"), .error("\(error)")])
        }
    }

    private static func read(_ path: String) throws(StartFailure) -> NodeConfiguration {
        let bytes: [UInt8]
        do throws(CommandFailure) { bytes = try File.read(path, as: .node) } catch {
            throw StartFailure(error.lines.joined(separator: "\n"))
        }
        do throws(ConfigurationProblems) { return try NodeConfiguration.read(bytes, file: path) } catch {
            throw StartFailure("\(error)")
        }
    }

    /// A hook that can not be run would be missed at the first decision.
    private static func checkHook(_ configuration: NodeConfiguration) throws(StartFailure) {
        guard let hook = configuration.scalingHook, access(hook.path, X_OK) != 0 else { return }
        let error = SystemError("run", hook.path)
        throw StartFailure("scalingHook.path: \(error); \(error.cure)")
    }

    /// A seed that can not be read stops a new node. One that has served before only loses what it no longer needs.
    private static func seed(of configuration: NodeConfiguration) throws(StartFailure) -> SeedConfiguration? {
        guard let path = configuration.gatewayFile else { return nil }
        do throws(SeedConfiguration.Failure) {
            return try SeedConfiguration(path: path)
        } catch {
            guard LastKnownConfiguration(dataDirectory: configuration.dataDirectory).exists else {
                throw StartFailure("\(error)")
            }
            Log.warning("config: the seed is not used: \(error)")
            return nil
        }
    }

    /// As many connections as the machine allows.
    private static func raiseDescriptorLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}
