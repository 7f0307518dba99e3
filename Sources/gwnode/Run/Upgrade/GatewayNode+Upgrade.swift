import Gateway
import Glibc
import Posix
import Raft
import Synchronization

/// Another process of the node takes the place of this one.
extension GatewayNode {
    /// How far that is.
    enum Replacement: Equatable, Sendable {
        case none
        case underWay
        /// The other process does well, and this one only serves what could not go along.
        case done
        /// No process does well.
        case failed(String)
    }

    var isReplaced: Bool {
        switch replacement.withLock({ $0 }) {
        case .none, .underWay: false
        case .done, .failed: true
        }
    }

    var isBeingReplaced: Bool { replacement.withLock { $0 } == .underWay }

    /// Starts the program that lies where that of this process lay when it began, and lets it take over. `done` is called
    /// when that has succeeded or failed, on another thread.
    func upgrade(done: @escaping UpgradeDesk.Completion) {
        if let obstacle = obstacleToUpgrade ?? reserve() { return done(.failure(.upgrade(obstacle))) }
        do throws(SystemError) {
            let thread = try Posix.Thread(name: "upgrade", stackBytes: 1 << 20) { [self] in runUpgrade(done) }
            thread.detach()
        } catch {
            letGo()
            done(.failure(.upgrade("\(error)")))
        }
    }

    private func runUpgrade(_ done: UpgradeDesk.Completion) {
        Log.info("upgrade: starting \(program) to take the place of this process", [.event("upgrade-begun")])
        let run = UpgradeRun(self, program: program)
        switch run.run() {
        case .kept(let reason):
            Log.error("upgrade: nothing has changed: \(reason)", [.event("upgrade-failed"), .reason(reason)])
            letGo()
            done(.failure(.upgrade("nothing has changed, and version \(gwnodeVersion) goes on: \(reason)")))
        case .failed(let reason):
            Log.error("upgrade: no process could take over: \(reason)", [.event("upgrade-failed"), .reason(reason)])
            done(.failure(.upgrade("no process could take over, and this one ends: \(reason)")))
            end(.failed(reason))
        case .restored(let reason):
            Log.error(
                "upgrade: a new process of version \(gwnodeVersion) has taken over: \(reason)",
                [.event("upgrade-failed"), .reason(reason)])
            done(.failure(.upgrade("version \(gwnodeVersion) serves again, in a new process: \(reason)")))
            leave(run)
        case .upgraded(let version):
            Log.info(
                "upgrade: process \(run.successorPID ?? 0) of version \(version) has taken over",
                [.event("upgrade-done"), .version(version), .pid(run.successorPID ?? 0)])
            done(
                .success(
                    UpgradeDocument(
                        from: gwnodeVersion, to: version, pid: run.successorPID ?? 0,
                        pauseMilliseconds: run.pause?.milliseconds ?? 0,
                        connectionsHandedOver: run.connectionsHandedOver,
                        connectionsLeft: Int(workers.statistics.clientConnections))))
            leave(run)
        }
    }

    /// Serves what could not go along until it ends.
    private func leave(_ run: UpgradeRun) {
        if let pid = run.successorPID { ServiceManager().handOver(to: pid) }
        // What is left here ends soon, or is a stream that asks for no backend any more.
        prober.stop()
        // The answer to whoever asked for the upgrade has to get out, however soon this process has nothing left to do.
        let earliestEnd = Instant.now() + .seconds(1)
        run.handOverTheRest()
        while Instant.now() < earliestEnd { _ = poll(nil, 0, 10) }
        end(.done)
    }

    private func end(_ how: Replacement) { replacement.withLock { $0 = how } }

    private func reserve() -> String? {
        let isFree = replacement.withLock { replacement in
            guard replacement == .none else { return false }
            replacement = .underWay
            return true
        }
        guard isFree else { return "an upgrade is under way already" }
        guard mover.reserve() else {
            end(.none)
            return "leadership is being handed over; try again in a moment"
        }
        return nil
    }

    private func letGo() {
        raft.perform { $0.prepareToPause(false) }
        mover.letGo()
        end(.none)
    }

    private var obstacleToUpgrade: String? {
        if getpid() == 1 {
            return "this process is the first of a container, which ends with it: replace the container"
        }
        if !isProven { return "this process is about to take over itself; try again in a few seconds" }
        if case .netlink = configuration.virtualAddress, !hasGuard {
            return "no guard holds the virtual addresses, so they would leave with this process: drain the node, then "
                + "restart it"
        }
        if access(program, X_OK) != 0 { return "\(SystemError("run", program))" }
        return nil
    }

    /// Ends consensus and all that hangs on it, and leaves addresses, listeners and connections as they are. Nil when the
    /// node fails over it.
    func suspend() -> Estate? {
        let hadQuorum = view.current?.raft.hasQuorum ?? false
        let sockets = [raft.descriptors.lock, raft.descriptors.listener, admin.descriptor].map(FileDescriptor.copy)
        let noticeSocket = notices.map { FileDescriptor.copy(of: $0.descriptor) }
        admin.leaveToSuccessor()
        raft.perform { $0.leaveAddresses() }
        let (isSuspended, continuation) = raft.suspend()
        guard isSuspended else {
            for descriptor in sockets { close(descriptor) }
            if let noticeSocket { close(noticeSocket) }
            return nil
        }
        let passed = passGuard?()
        stopControl()
        notices?.stop()
        heir?.stop()
        outliving?.stop()
        return Estate(
            continuation: continuation, hadQuorum: hadQuorum, listeners: workers.sharedListeners, sockets: sockets,
            notices: noticeSocket, passed: passed)
    }
}
