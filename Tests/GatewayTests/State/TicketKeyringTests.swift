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
}
