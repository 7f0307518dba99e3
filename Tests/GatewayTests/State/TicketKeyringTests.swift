import Gateway
import Posix
import TLS
import Testing

@Suite struct TicketKeyringTests {
    private func time(_ hours: Int) -> WallTime { WallTime(millisecondsSince1970: Int64(hours) * 3_600_000) }

    private func rotated(_ state: inout ClusterState, atHour hour: Int) -> TicketKeyring.Entry {
        let entry = TicketKeyring.Entry(key: .random(), at: time(hour))
        #expect(state.apply(.rotateTicketKeys(entry)) == .applied)
        return entry
    }

    @Test func newestKeyComesFirstAndTheOldestGoes() {
        var state = ClusterState()
        let entries = [0, 8, 16, 24].map { rotated(&state, atHour: $0) }
        #expect(state.ticketKeys.entries == [entries[3], entries[2], entries[1]])
        // One that another leader made for the same time comes too late.
        let late = TicketKeyring.Entry(key: .random(), at: time(24))
        #expect(state.apply(.rotateTicketKeys(late)) == .unchanged)
        #expect(state.ticketKeys.entries.first == entries[3])
    }

    @Test func keyIsDueAfterItsIntervalAndWhenThereIsNone() {
        var state = ClusterState()
        #expect(state.ticketKeys.isDue(at: time(5)))
        _ = rotated(&state, atHour: 5)
        #expect(!state.ticketKeys.isDue(at: time(5)))
        #expect(!state.ticketKeys.isDue(at: time(12)))
        #expect(state.ticketKeys.isDue(at: time(13)))
        // A clock that was set back delays the next one.
        #expect(!state.ticketKeys.isDue(at: time(1)))
    }

    @Test func keysSurviveCommandsAndSnapshots() throws {
        var state = ClusterState()
        let entry = rotated(&state, atHour: 3)
        #expect(try ClusterState(decoding: state.encoded()) == state)
        let command = Command.rotateTicketKeys(entry)
        #expect(try Command(decoding: command.encoded()) == command)
        let bytes = command.encoded()
        for count in bytes.indices {
            #expect(throws: DecodingFault.self) { try Command(decoding: Array(bytes[..<count])) }
        }
    }

    /// Two days by a clock in the test's hands: tickets of each hour, and for how long they are good.
    @Test func aTicketIsGoodUntilTwoKeysHaveFollowedItsOwn() throws {
        let secrets = try TestSecrets()
        let server = try secrets.server()
        let client = try secrets.client()
        var state = ClusterState()
        var sessions: [Int: TLSClientSession] = [:]
        var rotations: [Int] = []
        for hour in 0..<48 {
            if state.ticketKeys.isDue(at: time(hour)) {
                _ = rotated(&state, atHour: hour)
                rotations.append(hour)
                secrets.tickets.set(state.ticketKeys.entries.map(\.key))
            }
            let (isResumed, session) = try connect(client, server, nil)
            #expect(!isResumed)
            let ticket: TLSClientSession = try #require(session)
            sessions[hour] = ticket
            for (issued, session) in sessions {
                let keysSince = rotations.count { $0 > issued }
                #expect(try connect(client, server, session).isResumed == (keysSince < TicketKeyring.Limit.keys))
            }
        }
        #expect(rotations == [0, 8, 16, 24, 32, 40])
    }

    /// Shakes hands in memory.
    private func connect(
        _ client: TLSClient, _ server: TLSServer, _ session: TLSClientSession?
    ) throws -> (isResumed: Bool, session: TLSClientSession?) {
        let (there, here) = (try TLSWire(capacity: 1 << 16), try TLSWire(capacity: 1 << 16))
        let dialled = try #require(TLSLink(dialling: "127.0.0.1", as: client, on: there))
        let serving = try #require(TLSLink(serving: server, on: here))
        defer {
            dialled.free()
            serving.free()
        }
        if let session { dialled.resume(session) }
        // Two flights are all that a handshake of TLS 1.3 has; the second brings tickets back.
        _ = dialled.shakeHands()
        for _ in 0..<2 {
            pass(there, here) { _ = serving.shakeHands() }
            pass(here, there) {
                _ = dialled.shakeHands()
                withUnsafeTemporaryAllocation(byteCount: 16, alignment: 1) { _ = dialled.read(into: $0) }
            }
        }
        return (serving.isResumed, dialled.takeSession())
    }

    private func pass(_ from: TLSWire, _ to: TLSWire, _ read: () -> Void) {
        let bytes = Array(from.output)
        from.clear()
        bytes.withUnsafeBytes { bytes in
            to.offer(bytes)
            read()
        }
    }
}
