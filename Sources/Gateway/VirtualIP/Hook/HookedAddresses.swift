import Glibc
import Posix
import Raft

/// Virtual addresses that a command of the operator's moves, for instance by the API of a cloud. `VirtualIPClaim`
/// decides when they are wanted, a `HookSequence` for each what is run, `HookRunner` runs it.
///
/// No guard stands behind it and no gate: that one node alone has the address is as true as the command's claim takes it
/// away from any other.
package final class HookedAddresses: AddressKeeper {
    private let hook: AddressHook
    private let runner: HookRunner
    private var claim = VirtualIPClaim()
    private var wanted: [IPAddress] = []
    private var sequences: [IPAddress: HookSequence] = [:]
    private var isLeft = false

    /// `onChange` is called from another thread when a turn is due.
    package init(
        _ hook: AddressHook, cluster: String, node: NodeConfiguration.Identity,
        onChange: @escaping @Sendable () -> Void
    ) throws(VirtualIPError) {
        guard access(hook.command, X_OK) == 0 else {
            throw VirtualIPError(
                "\(hook.command) can not be run: \(SystemError.message(for: errno))",
                cure: "set virtualAddress.command to a program that this user may run")
        }
        self.hook = hook
        do throws(SystemError) {
            runner = try HookRunner(
                command: hook.command,
                environment: [
                    "GWNODE_CLUSTER=\(cluster)", "GWNODE_NODE_ID=\(node.id.number)", "GWNODE_NODE_NAME=\(node.name)",
                ], onEnd: onChange)
        } catch { throw VirtualIPError("\(error)", cure: error.cure) }
    }

    /// Gives up what is held and waits for that, as long as two calls may take.
    deinit {
        defer { runner.stop() }
        if isLeft { return }
        let deadline = Instant.now() + hook.limits.timeout * 2
        for address in sequences.keys { sequences[address]?.want(nil) }
        while !isClear, Instant.now() < deadline {
            for end in runner.takeEnds() { _ = take(end, at: .now()) }
            advance(at: .now())
            _ = poll(nil, 0, 5)
        }
    }

    /// The next process claims the addresses once more, which changes nothing where they are.
    package func leaveToSuccessor() { isLeft = true }

    package var held: [IPAddress] { wanted.filter { sequences[$0]?.isHeld == true } }
    package var fence: Fence { .lease }
    package var canHold: Bool { true }
    package var isClear: Bool { sequences.values.allSatisfy(\.isClear) }
    package var occupied: Set<IPAddress> { Set(sequences.filter { !$0.value.isClear }.keys) }
    package var onHold: ArrivalHold { .nothing }

    /// The command has no way to keep anything back.
    package func keepBack(_ hold: ArrivalHold, for addresses: Set<IPAddress>) {}

    package func configure(addresses: [IPAddress], ports: [UInt16]) {
        wanted = addresses
        for address in addresses where sequences[address] == nil {
            sequences[address] = HookSequence(address, hook.limits)
        }
    }

    package func turn(now: Instant, lease: Lease?, share: AddressShare, isShuttingDown: Bool) -> AddressTurn {
        let before = held
        let failures = runner.takeEnds().compactMap { take($0, at: now) }
        var usable = lease
        if let end = lease?.validUntil { usable?.validUntil = end - fence.allowance }
        let conditions = VirtualIPClaim.Conditions(
            now: now, lease: usable, wanted: share.wanted(of: wanted), tenure: share.tenure,
            isShuttingDown: isShuttingDown)
        var resignation = carryOut(claim.turn(conditions), conditions)
        for failure in failures where !claim.held.isEmpty {
            let reason: VirtualIPClaim.Reason =
                switch failure {
                case .claimFailed: .claimFailed
                case .notHere: .addressTakenAway
                }
            resignation = carryOut(claim.fail(because: reason, conditions), conditions) ?? resignation
        }
        advance(at: now)
        sequences = sequences.filter { wanted.contains($0.key) || !$0.value.isClear }
        let deadline = sequences.values.map(\.nextDeadline).min() ?? .distantFuture
        return AddressTurn(
            nextDeadline: min(claim.nextDeadline, deadline), resignation: resignation, hasChanged: held != before)
    }

    private func take(_ end: HookRunner.End, at now: Instant) -> HookSequence.Failure? {
        let failure = sequences[end.call.address]?.ended(end.outcome, at: now)
        let text = "vip: `\(end.call)` ended after \(end.duration): \(end.outcome)"
        switch end.outcome {
        case .exited(status: 0):
            end.call.verb == .status ? Log.debug(text) : Log.info(text)
        case .exited, .killed, .notStarted:
            Log.warning(end.lastLine.isEmpty ? text : "\(text): \(end.lastLine)")
        }
        return failure
    }

    private func advance(at now: Instant) {
        for address in Array(sequences.keys) {
            while let action = sequences[address]?.next(at: now) {
                switch action {
                case .run(let call): runner.start(call)
                case .kill: runner.kill(address)
                }
            }
        }
    }

    private func carryOut(
        _ actions: [VirtualIPClaim.Action], _ conditions: VirtualIPClaim.Conditions
    ) -> VirtualIPClaim.Reason? {
        var resignation: VirtualIPClaim.Reason?
        for action in actions {
            switch action {
            case .claim(let address): sequences[address]?.want(conditions.lease?.term)
            case .announce: break
            case .release(let address, let reason):
                sequences[address]?.want(nil)
                Log.info(
                    "vip: releasing \(address), \(reason)",
                    [.event("address-release-begun"), .address("\(address)"), .reason("\(reason)")])
            case .resign(let reason):
                Log.warning(
                    "vip: resigning as leader, \(reason)", [.event("leadership-resigned"), .reason("\(reason)")])
                resignation = reason
            }
        }
        return resignation
    }
}
