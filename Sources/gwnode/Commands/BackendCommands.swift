import FoundationEssentials
import Gateway
import Posix

/// `gwnode backend list`, `enable`, `drain` and `disable`.
enum BackendCommands {
    static func list(_ client: ClusterClient, _ format: OutputFormat) throws(CommandFailure) -> ExitCode {
        let upstreams = try client.status().upstreams
        switch format {
        case .json:
            let document = BackendsDocument(upstreams: upstreams)
            Terminal.write(String(decoding: AdminResponse.json(document).body, as: UTF8.self))
        case .table:
            let lines = StatusReport.backends(upstreams).lines(coloured: Terminal.isColoured)
            Terminal.write(lines.map { $0 + "\n" }.joined())
        }
        return .success
    }

    static func setMode(
        _ client: ClusterClient, _ mode: BackendMode, upstream: String?, _ address: SocketAddress
    ) throws(CommandFailure) -> ExitCode {
        let upstreams = if let upstream { [upstream] } else { try upstreamNames(with: address, client) }
        guard let body = try? JSONEncoder().encode(BackendModeDocument(mode: mode)) else {
            preconditionFailure("a document of one text is always encodable")
        }
        for name in upstreams {
            let backend = "\(PercentEncoding.encode(name))/\(PercentEncoding.encode(address.description))"
            _ = try client.ask(.put("/v1/backends/\(backend)", Array(body)))
            Terminal.write("\(Terminal.printable(name)) \(address) is \(mode.rawValue)\n")
        }
        return .success
    }

    private static func upstreamNames(
        with address: SocketAddress, _ client: ClusterClient
    ) throws(CommandFailure) -> [String] {
        let names = try client.status().upstreams
            .filter { $0.backends.contains { $0.address == address.description } }.map(\.name)
        if names.isEmpty {
            throw CommandFailure(.failure, "no upstream has a backend \(address); see `gwnode backend list`")
        }
        return names
    }
}
