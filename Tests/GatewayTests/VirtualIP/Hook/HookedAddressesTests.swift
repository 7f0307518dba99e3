import FoundationEssentials
import Gateway
import Glibc
import Posix
import Raft
import Testing

private let one = IPAddress("203.0.113.10")!

/// A script as the operator's command, in a directory of its own, where it leaves what it did.
private final class Hook {
    let directory: String
    /// Until the end, when they go before the command does.
    private(set) var addresses: HookedAddresses!
    private let lease = Lease(term: Term(4), validUntil: .now() + .seconds(600), claimableFrom: .zero)
    private(set) var resignation: VirtualIPClaim.Reason?

    /// `body` sees the verb as `$1` and its directory as `$DIR`.
    init(_ body: String, timeout: Nanoseconds = .seconds(20)) throws {
        var template = Array("/tmp/gwnode-hook-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        directory = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
        let script = "#!/bin/sh\nDIR=\(directory)\necho \"$1 $2 $3\" >> $DIR/calls\n\(body)\n"
        let path = "\(directory)/hook"
        try script.write(toFile: path, atomically: false, encoding: .utf8)
        chmod(path, 0o755)
        addresses = try HookedAddresses(
            AddressHook(command: path, limits: .init(timeout: timeout, statusInterval: .milliseconds(100))),
            cluster: "web", node: .init(id: NodeID(7), name: "gw7"), onChange: {})
        addresses.configure(addresses: [one], ports: [80])
    }

    deinit {
        addresses = nil
        _ = try? FileManager.default.removeItem(atPath: directory)
    }

    func text(_ name: String) -> String {
        (try? String(contentsOfFile: "\(directory)/\(name)", encoding: .utf8)) ?? ""
    }

    /// Turns as the leader until the condition holds; false when it does not in time.
    func lead(until condition: () -> Bool) -> Bool { turn(lease, until: condition) }

    func follow(until condition: () -> Bool) -> Bool { turn(nil, until: condition) }

    private func turn(_ lease: Lease?, until condition: () -> Bool) -> Bool {
        let deadline = Instant.now() + .seconds(60)
        while Instant.now() < deadline {
            let turn = addresses.turn(now: .now(), lease: lease, share: .all, isShuttingDown: false)
            resignation = turn.resignation ?? resignation
            if condition() { return true }
            _ = poll(nil, 0, 2)
        }
        return false
    }
}

@Suite struct HookedAddressesTests {
    @Test func claimsChecksAndReleases() throws {
        let hook = try Hook(
            """
            case $1 in
            claim) echo $GWNODE_CLUSTER $GWNODE_NODE_ID $GWNODE_NODE_NAME > $DIR/here ;;
            release) rm -f $DIR/here ;;
            status) [ -e $DIR/here ] || exit 1 ;;
            esac
            """)
        #expect(hook.lead { hook.addresses.held == [one] })
        #expect(hook.lead { hook.text("calls").contains("status \(one) 4\n") })
        #expect(hook.text("calls").hasPrefix("release \(one) 0\nclaim \(one) 4\nstatus \(one) 4\n"))
        #expect(hook.text("here") == "web 7 gw7\n")
        #expect(hook.follow { hook.addresses.isClear })
        #expect(hook.addresses.held.isEmpty && hook.resignation == nil)
        #expect(hook.text("calls").hasSuffix("release \(one) 4\n"))
    }

    @Test func aClaimThatFailsIsReleasedAndTheLeaderResigns() throws {
        let hook = try Hook("[ $1 != claim ] || { echo no such address >&2; exit 3; }")
        #expect(hook.lead { hook.resignation == .claimFailed })
        #expect(hook.lead { hook.addresses.isClear })
        #expect(hook.text("calls") == "release \(one) 0\nclaim \(one) 4\nrelease \(one) 4\n")
    }

    @Test func aClaimThatLiesIsFoundOut() throws {
        let hook = try Hook("[ $1 != status ] || exit 1")
        #expect(hook.lead { hook.resignation == .addressTakenAway })
        #expect(hook.lead { hook.addresses.isClear })
        #expect(hook.text("calls").hasSuffix("status \(one) 4\nrelease \(one) 4\n"))
    }

    @Test func aClaimThatHangsIsKilledWithAllThatItStarted() throws {
        let hook = try Hook(
            "[ $1 != claim ] || { sleep 1000 & echo $! > $DIR/child; wait; }", timeout: .milliseconds(500))
        #expect(hook.lead { hook.resignation == .claimFailed })
        #expect(hook.lead { hook.addresses.isClear })
        // The machine's init may take a moment to bury it.
        let child = try #require(pid_t(hook.text("child").trimmed))
        #expect(hook.follow { !isRunning(child) })
    }

    @Test func whatACallLeavesInTheBackgroundIsKilled() throws {
        let hook = try Hook("[ $1 != claim ] || { sleep 1000 > /dev/null 2>&1 & echo $! > $DIR/child; }")
        #expect(hook.lead { hook.addresses.held == [one] })
        let child = try #require(pid_t(hook.text("child").trimmed))
        #expect(hook.lead { !isRunning(child) })
    }

    @Test func aFloodOfOutputHoldsNothingUp() throws {
        let hook = try Hook("[ $1 != claim ] || head -c 3000000 /dev/zero")
        #expect(hook.lead { hook.addresses.held == [one] })
    }

    @Test func whoeverLetsGoOfItReleases() throws {
        var hook: Hook? = try Hook("[ $1 != release ] || touch ${DIR}-released")
        let trace = "\(hook!.directory)-released"
        #expect(hook!.lead { hook!.addresses.held == [one] })
        unlink(trace)
        hook = nil
        #expect(access(trace, F_OK) == 0)
        unlink(trace)
    }

    @Test func aCommandThatCanNotBeRunIsSaidAtTheStart() {
        #expect(throws: VirtualIPError.self) {
            try HookedAddresses(
                AddressHook(
                    command: "/no/such/hook", limits: .init(timeout: .seconds(1), statusInterval: .seconds(1))),
                cluster: "web", node: .init(id: NodeID(1), name: "gw1"), onChange: {})
        }
    }

    /// Neither gone nor a zombie that nobody has buried yet.
    private func isRunning(_ pid: pid_t) -> Bool {
        guard let status = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8) else { return false }
        return !status.contains(") Z ")
    }
}

extension String {
    fileprivate var trimmed: String { String(self.prefix { $0 != "\n" }) }
}
