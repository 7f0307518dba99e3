import Gateway
import Glibc

/// `gwnode status`.
enum StatusCommand {
    private static let watchSeconds: UInt32 = 1

    static func run(
        _ client: ClusterClient, _ format: OutputFormat, _ consistency: AdminServices.Consistency, watch: Bool
    ) throws(CommandFailure) -> ExitCode {
        guard watch else { return try show(client, format, consistency) }
        while true {
            do throws(CommandFailure) {
                _ = try show(client, format, consistency, startOver: Terminal.isPerson)
            } catch {
                guard error.code == .unreachable else { throw error }
                for line in error.lines { Terminal.complain(line) }
            }
            sleep(watchSeconds)
        }
    }

    private static func show(
        _ client: ClusterClient, _ format: OutputFormat, _ consistency: AdminServices.Consistency,
        startOver: Bool = false
    ) throws(CommandFailure) -> ExitCode {
        let status = try client.status(consistency)
        let text =
            switch format {
            case .json: String(decoding: AdminResponse.json(status).body, as: UTF8.self)
            case .table: StatusReport.text(status, coloured: Terminal.isColoured)
            }
        Terminal.write(startOver ? Terminal.startOver + text : text)
        return StatusVerdict(status).code
    }
}
