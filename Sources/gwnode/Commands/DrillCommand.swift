import Gateway
import Glibc
import Posix

/// `gwnode drill`.
enum DrillCommand {
    static func run(
        _ client: ClusterClient, _ kind: DrillKind, count: Int, isConfirmed: Bool
    ) throws(CommandFailure) -> ExitCode {
        let status = try client.status()
        let service = try service(client, status)
        try expectPossible(kind, status)
        if kind.isFault, !isConfirmed, !isOnOneMachine(status) { try askForConsent(kind, count, status) }
        let interruption: DrillInterruption
        do throws(SystemError) { interruption = try DrillInterruption() } catch {
            throw CommandFailure(.failure, "\(error); \(error.cure)")
        }
        let place =
            status.virtualAddresses.count == 1 ? "http://\(service)/" : "an address of its, port \(service.port),"
        Terminal.write(
            Terminal.printable(
                "\(kind.rawValue) of cluster \(status.cluster)'s leader; a client asks \(place) every 5 ms")
                + "\n")
        let drill = Drill(client, kind, service: service, interruption)
        return carryOut(drill, count)
    }

    private static func carryOut(_ drill: Drill, _ count: Int) -> ExitCode {
        var report = DrillReport()
        var exit = ExitCode.success
        Terminal.write(DrillReport.heading + "\n")
        for number in 1...count {
            do throws(DrillEnd) {
                let (round, leaders) = try drill.round()
                report.add(round)
                Terminal.write(DrillReport.line(number, round, leaders: leaders) + "\n")
            } catch {
                switch error {
                case .interrupted: Terminal.complain("interrupted in round \(number); what it broke is mended")
                case .failed(let reason): Terminal.complain("round \(number) failed: \(Terminal.printable(reason))")
                }
                exit = .failure
                break
            }
            if exit != .success { break }
        }
        for line in report.summary { Terminal.write(line + "\n") }
        return exit
    }

    /// Where clients ask: the first virtual address, at the first listener that speaks plain HTTP.
    private static func service(
        _ client: ClusterClient, _ status: StatusDocument
    ) throws(CommandFailure) -> SocketAddress {
        guard let address = status.virtualAddresses.first.flatMap({ IPAddress($0.address) }) else {
            throw CommandFailure(.failure, "the cluster has no virtual address, so there is nothing to move")
        }
        let text = try client.ask(.get("/v1/config")).body
        guard let configuration = try? GatewayConfiguration.read(text, file: "the configuration in force") else {
            throw CommandFailure(
                .failure, "the configuration in force can not be read; is the nodes' version another one?")
        }
        guard let listener = configuration.listeners.first(where: { $0.tls == nil }) else {
            throw CommandFailure(
                .failure,
                "every listener is secured, and the drill asks in plain HTTP; add a listener with `redirectTo`")
        }
        return SocketAddress(ip: address, port: listener.port)
    }

    /// Refuses before anything is broken.
    private static func expectPossible(_ kind: DrillKind, _ status: StatusDocument) throws(CommandFailure) {
        guard kind.isFault else { return }
        let voters = status.nodes.filter { $0.member == .voter }
        let spare = voters.count(where: \.alive) - 1
        guard spare * 2 > voters.count else {
            throw CommandFailure(
                .failure, "\(spare) of \(voters.count) voters would be left, which is no quorum; see `gwnode status`")
        }
        if kind == .cut, isOnOneMachine(status) {
            throw CommandFailure(
                .failure, "cut needs a network between the nodes, and these share one machine; use --kind kill or stop")
        }
        _ = try Drill.victim(status, kind)
        guard kind == .cut else { return }
        do throws(NetworkCut.Failure) { _ = try NetworkCut() } catch { throw CommandFailure(.failure, error.reason) }
    }

    /// A demo, or something like it.
    private static func isOnOneMachine(_ status: StatusDocument) -> Bool {
        status.nodes.allSatisfy { HostPort(parsing: $0.raft)?.numericAddress?.ip.isLoopback == true }
    }

    private static func askForConsent(_ kind: DrillKind, _ count: Int, _ status: StatusDocument) throws(CommandFailure)
    {
        let plan =
            "would \(kind.deed) in cluster \(Terminal.printable(status.cluster)), \(count) time\(count == 1 ? "" : "s"), "
            + "and its clients lose requests each time"
        guard isatty(STDIN_FILENO) == 1 else { throw CommandFailure(.failure, "\(plan); add --yes to do it") }
        Terminal.write("\(plan). Do it? [y/N] ")
        guard readLine()?.lowercased() == "y" else { throw CommandFailure(.failure, "nothing was done") }
    }
}
