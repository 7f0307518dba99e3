import CLinux
import Glibc
import Posix
import Raft
import Synchronization

/// The thread that listens to the guard, and starts it again when it has ended.
extension GuardLink {
    /// The body of the thread.
    func supervise() {
        // A report that is read late passes for one that was not made.
        ThreadPriority.raise()
        var pause = Self.shortestPause
        while true {
            let began = Instant.now()
            readReports()
            if state.withLock({ $0.isLeft }) { return }
            let end = clearUp()
            guard let end else { return }
            Log.error(
                "vip: the guard ended with \(end); this node holds no address until another one runs",
                [.event("guard-lost"), .reason("\(end)")])
            onChange()
            pause = Instant.now() - began > Self.longestPause ? Self.shortestPause : min(pause * 2, Self.longestPause)
            while !tryStart(after: pause) { pause = min(pause * 2, Self.longestPause) }
            onChange()
        }
    }

    /// False when it failed; true when a guard runs, or none is wanted any more.
    private func tryStart(after pause: Nanoseconds) -> Bool {
        _ = poll(nil, 0, Int32(pause.milliseconds))
        if state.withLock({ $0.isStopping }) { return true }
        do throws(VirtualIPError) {
            try start()
            Log.info("vip: the guard runs again", [.event("guard-started")])
            return true
        } catch {
            Log.error("vip: \(error)")
            return false
        }
    }

    /// Until the guard ends.
    private func readReports() {
        let (channel, claim) = state.withLock { ($0.channel, $0.claim) }
        guard let channel, let claim else { return }
        while let report = Self.next(channel.raw, until: .distantFuture, orWhen: isPassing.raw, for: claim) {
            guard case .state(let new) = report else { continue }
            let isNews = state.withLock { state in
                let before = state.view.state
                state.view.state = new
                state.view.resignation = new.resignation ?? state.view.resignation
                if new.sequence == state.view.sequence { state.view.unconfirmedSince = nil }
                return new.resignation != nil || before?.held != new.held || before?.stuck != new.stuck
                    || before?.onHold != new.onHold
                    || (new.isClear && state.lease == nil) || before?.fence != new.fence
            }
            if isNews { onChange() }
        }
    }

    /// Takes off what a guard that ended has left; how it ended, nil when it was to end.
    private func clearUp() -> String? {
        custody?.end()
        let end = state.withLock { $0.process }.map { $0.awaitEnd(Self.endLimit) }
        let addresses = state.withLock { state in
            if let term = state.lease?.term { state.view.lostThrough = max(state.view.lostThrough, term) }
            state.channel = nil
            state.process = nil
            state.lease = nil
            state.view.state = nil
            state.view.identity = nil
            state.view.unconfirmedSince = nil
            state.view.isCleared = false
            return state.addresses ?? []
        }
        let isCleared = remove(addresses)
        return state.withLock { state in
            state.view.isCleared = isCleared
            return state.isStopping ? nil : end
        }
    }

    private func remove(_ addresses: [IPAddress]) -> Bool {
        let index = if_nametoindex(interface)
        do throws(SystemError) {
            var socket = try NetlinkSocket()
            for address in addresses {
                do throws(SystemError) { try socket.delete(address, interface: index) } catch {
                    if error.code != EADDRNOTAVAIL && error.code != ENODEV { throw error }
                }
            }
            return true
        } catch {
            Log.error("vip: \(error)")
            return false
        }
    }

    /// The next report, nil when the guard has ended, the time is over, or `event` is signalled. Who asks whose the
    /// interface is may go meanwhile.
    static func next(
        _ raw: Int32, until deadline: Instant, orWhen event: Int32 = -1, for claim: InterfaceClaim? = nil
    ) -> GuardReport? {
        var buffer = [UInt8](repeating: 0, count: GuardOrder.Limit.bytes)
        while true {
            var waiting = [raw, event, claim?.raw ?? -1].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            let left = deadline == .distantFuture ? -1 : Int32((deadline - Instant.now()).milliseconds.rounded(.up))
            let ready = retryingOnInterrupt { poll(&waiting, nfds_t(waiting.count), left) }
            guard ready > 0, waiting[1].revents == 0 else { return nil }
            if waiting[2].revents != 0 { claim?.dismissQuestions() }
            let count = retryingOnInterrupt { recv(raw, &buffer, buffer.count, Int32(MSG_DONTWAIT)) }
            if count < 0 && errno == EAGAIN { continue }
            guard count > 0 else { return nil }
            do throws(DecodingFault) { return try GuardReport(decoding: Array(buffer[..<count])) } catch {
                Log.error("vip: what the guard says can not be read: \(error)")
            }
        }
    }
}
