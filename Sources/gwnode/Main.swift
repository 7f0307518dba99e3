import Gateway
import Glibc

@main enum Main {
    static func main() {
        let arguments = Array(CommandLine.arguments.dropFirst())
        // Not a command for people: a gateway starts its guard by it.
        if arguments.count == 2, arguments[0] == GuardProcess.command {
            exit(GuardProcess.run(interface: arguments[1], version: gwnodeVersion))
        }
        // Nor this one: a process that is upgraded starts the next one by it.
        if arguments.count == 2, arguments[0] == Successor.command {
            exit(Run.takeOver(configPath: arguments[1]).rawValue)
        }
        exit(run(arguments).rawValue)
    }

    private static func run(_ arguments: [String]) -> ExitCode {
        do throws(UsageError) {
            return carryOut(try Invocation(arguments))
        } catch {
            Terminal.complain(error.description)
            return .usage
        }
    }

    private static func carryOut(_ invocation: Invocation) -> ExitCode {
        do throws(CommandFailure) {
            switch invocation {
            case .help(let command):
                Terminal.write(command.map(HelpText.explanation) ?? HelpText.overview)
                return .success
            case .version:
                Terminal.write("gwnode \(gwnodeVersion)\n")
                return .success
            case .manual:
                Terminal.write(ManualPage.text)
                return .success
            case .reference:
                Terminal.write(ConfigurationReference.markdown)
                return .success
            case .completions(let shell):
                Terminal.write(shell.script)
                return .success
            case .run(let configPath):
                return try Run.start(configPath: configPath)
            case .demo(let directory, let basePort):
                return try Demo.start(directory: directory, basePort: basePort)
            case .demoBackend(let listen, let name):
                return try SampleBackend.serve(on: listen, name: name)
            case .validate(let files):
                return try ValidateCommand.run(files)
            case .status(let access, let format, let consistency, let watch):
                return try StatusCommand.run(client(access), format, consistency, watch: watch)
            case .showConfiguration(let access, let revision, let consistency):
                return try ConfigurationCommands.show(client(access), revision, consistency)
            case .applyConfiguration(let access, let file, let revision):
                return try ConfigurationCommands.apply(client(access), file: file, ifRevision: revision)
            case .listHistory(let access, let format, let consistency):
                return try ConfigurationCommands.history(client(access), format, consistency)
            case .compareRevisions(let access, let from, let to, let consistency):
                return try ConfigurationCommands.compare(client(access), from: from, to: to, consistency)
            case .compareFile(let access, let from, let file, let consistency):
                return try ConfigurationCommands.compare(client(access), from: from, file: file, consistency)
            case .rollBack(let access, let revision, let expected):
                return try ConfigurationCommands.rollBack(client(access), to: revision, ifRevision: expected)
            case .top(let access, let format, let once):
                return try TopCommand.run(client(access), format, once: once)
            case .events(let access, let format, let consistency, let follow):
                return try EventsCommand.run(client(access), format, consistency, follow: follow)
            case .listBackends(let access, let format):
                return try BackendCommands.list(client(access), format)
            case .setMode(let access, let mode, let upstream, let address):
                return try BackendCommands.setMode(client(access), mode, upstream: upstream, address)
            case .putBackend(let access, let backend, let weight, let mustExist, let revision):
                return try BackendCommands.put(
                    client(access), backend, weight: weight, mustExist: mustExist, ifRevision: revision)
            case .register(let access, let key, let registration):
                return try BackendCommands.register(client(access), key, registration)
            case .deregister(let access, let key):
                return try BackendCommands.deregister(client(access), key)
            case .removeBackend(let access, let backend, let revision):
                return try BackendCommands.remove(client(access), backend, ifRevision: revision)
            case .listMembers(let access, let format):
                return try MemberCommands.list(client(access), format)
            case .addMember(let access, let id, let document):
                return try MemberCommands.add(client(access), id: id, document)
            case .promoteMember(let access, let node):
                return try MemberCommands.promote(client(access), node)
            case .removeMember(let access, let node):
                return try MemberCommands.remove(client(access), node)
            case .transferLeadership(let access, let target):
                return try LeaderCommands.transfer(client(access), to: target)
            case .drainNode(let access, let node):
                return try NodeCommands.drain(client(access), node)
            case .undrainNode(let access, let node):
                return try NodeCommands.undrain(client(access), node)
            case .upgrade(let access):
                return try UpgradeCommand.run(ownClient(access))
            case .drill(let access, let kind, let count, let isConfirmed):
                return try DrillCommand.run(client(access), kind, count: count, isConfirmed: isConfirmed)
            case .makeAuthority(let directory, let days):
                return try CertificateCommands.makeAuthority(in: directory, days: days)
            case .issueCertificates(let directory, let file, let node, let days, let renew):
                return try CertificateCommands.issue(
                    in: directory, nodeFile: file, only: node, days: days, renew: renew)
            case .issueOperatorCertificate(let directory, let file, let name, let days, let renew):
                return try CertificateCommands.issue(
                    in: directory, nodeFile: file, forOperator: name, days: days, renew: renew)
            case .listKeys(let access, let prefix, let format, let consistency):
                return try KeyCommands.list(client(access), prefix: prefix, format, consistency)
            case .getKey(let access, let key, let consistency):
                return try KeyCommands.get(client(access), key, consistency)
            case .putKey(let access, let key, let value, let condition):
                return try KeyCommands.put(client(access), key, value, condition)
            case .deleteKey(let access, let key, let condition):
                return try KeyCommands.delete(client(access), key, condition)
            case .saveSnapshot(let access, let file, let consistency):
                return try SnapshotCommands.save(client(access), to: file, consistency)
            case .showSnapshot(let file):
                return try SnapshotCommands.show(file)
            case .restoreSnapshot(let file, let configPath, let token, let isConfirmed):
                return try SnapshotCommands.restore(
                    file, configPath: configPath, token: token, isConfirmed: isConfirmed)
            case .forceNewCluster(let configPath, let isConfirmed):
                return try ForceNewClusterCommand.run(configPath: configPath, isConfirmed: isConfirmed)
            }
        } catch {
            for line in error.lines { Terminal.note(Terminal.printable(line)) }
            return error.code
        }
    }

    private static func client(_ access: AdminAccess) throws(CommandFailure) -> ClusterClient {
        try access.client(environment)
    }

    /// Of one node alone.
    private static func ownClient(_ access: AdminAccess) throws(CommandFailure) -> ClusterClient {
        try access.client(environment, ofOneNode: true)
    }

    private static var environment: AdminAccess.Environment {
        func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
        return AdminAccess.Environment(addresses: variable("GWNODE_ADMIN"), tokenPath: variable("GWNODE_TOKEN_FILE"))
    }
}
