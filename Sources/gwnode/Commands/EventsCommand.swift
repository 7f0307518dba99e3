import FoundationEssentials
import Gateway
import Glibc

/// `gwnode events`.
enum EventsCommand {
    private static let pollMicroseconds: UInt32 = 500_000

    static func run(
        _ client: ClusterClient, _ format: OutputFormat, _ consistency: AdminServices.Consistency, follow: Bool
    ) throws(CommandFailure) -> ExitCode {
        var last = try show(client, format, consistency, after: 0)
        while follow {
            usleep(pollMicroseconds)
            // A cluster in trouble is the reason to look: what one node has is better than no answer.
            do throws(CommandFailure) { last = try show(client, format, .stale, after: last) } catch {
                guard error.code == .unreachable else { throw error }
            }
        }
        return .success
    }

    /// Prints what came after the event `sequence`; returns the number of the last event.
    private static func show(
        _ client: ClusterClient, _ format: OutputFormat, _ consistency: AdminServices.Consistency,
        after sequence: UInt64
    ) throws(CommandFailure) -> UInt64 {
        let call = AdminCall.get("/v1/events", ["after=\(sequence)"], consistency)
        let document = try client.ask(for: EventsDocument.self, call)
        switch format {
        case .json:
            for event in document.events { Terminal.write(line(event) + "\n") }
        case .table:
            for event in document.events {
                Terminal.write("\(Terminal.printable(event.at))  \(Terminal.printable(event.text))\n")
            }
        }
        // A node that trails behind another knows less; what was printed once is not printed again.
        return max(sequence, document.last)
    }

    /// JSON in one line, so that the output can be read while it grows.
    private static func line(_ event: EventsDocument.Event) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(event) else {
            preconditionFailure("documents hold no number that JSON can not express")
        }
        return String(decoding: data, as: UTF8.self)
    }
}
