import CLinux
import Gateway
import Glibc
import Posix

/// `gwnode top`.
enum TopCommand {
    private static let intervalMilliseconds: Int32 = 1000

    /// Without a person who looks, one picture is all there is to show.
    static func run(_ client: ClusterClient, _ format: OutputFormat, once: Bool) throws(CommandFailure) -> ExitCode {
        guard !once, format == .table, Terminal.isPerson else { return try show(client, format) }
        let signals: SignalDescriptor
        do throws(SystemError) {
            signals = try SignalDescriptor([SIGINT, SIGTERM, SIGHUP, SIGWINCH])
        } catch { throw CommandFailure(.failure, "\(error); \(error.cure)") }
        Terminal.write(Terminal.enterScreen)
        defer { Terminal.write(Terminal.leaveScreen) }
        while true {
            draw(client)
            var waiting = pollfd(fd: signals.raw, events: Int16(POLLIN), revents: 0)
            guard poll(&waiting, 1, intervalMilliseconds) > 0, let signal = signals.next() else { continue }
            // A resized screen is only drawn again.
            if signal != SIGWINCH { return .success }
        }
    }

    private static func show(_ client: ClusterClient, _ format: OutputFormat) throws(CommandFailure) -> ExitCode {
        let live = try ask(client)
        switch format {
        case .json: Terminal.write(bytes: AdminResponse.json(live).body)
        case .table:
            for line in TopReport.lines(live, coloured: Terminal.isColoured) { Terminal.write(line + "\n") }
        }
        return .success
    }

    private static func draw(_ client: ClusterClient) {
        let size = Terminal.size
        let lines: [String]
        do throws(CommandFailure) {
            lines = TopReport.lines(
                try ask(client), coloured: Terminal.isColoured, rows: size?.rows, columns: size?.columns)
        } catch { lines = error.lines }
        Terminal.write(Terminal.startOver + lines.joined(separator: "\r\n"))
    }

    private static func ask(_ client: ClusterClient) throws(CommandFailure) -> LiveDocument {
        try client.ask(for: LiveDocument.self, .get("/v1/live"))
    }
}
