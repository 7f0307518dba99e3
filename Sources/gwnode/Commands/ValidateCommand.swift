import Gateway

/// `gwnode validate`.
package enum ValidateCommand {
    /// What was found in one file.
    package struct Finding: Hashable, Sendable {
        /// What makes the file unusable, one line each.
        package var problems: [String]
        /// What is allowed but probably not meant.
        package var advice: [String]
        /// For a good file, what it is.
        package var summary: String
    }

    static func run(_ files: [String]) throws(CommandFailure) -> ExitCode {
        var problems: [String] = []
        for file in files {
            do throws(CommandFailure) {
                let finding = examine(try File.read(file), file: file, readOther: File.read)
                for line in finding.advice { Terminal.note("\(file): \(line)") }
                if finding.problems.isEmpty { Terminal.write("\(file): \(finding.summary)\n") }
                problems += finding.problems
            } catch {
                problems += error.lines
            }
        }
        if problems.isEmpty { return .success }
        throw CommandFailure(.failure, lines: problems)
    }

    /// Reads `bytes` as what they are; a node file is also compared with the gateway file that it names, which
    /// `readOther` fetches.
    package static func examine(
        _ bytes: [UInt8], file: String, readOther: (String) throws(CommandFailure) -> [UInt8]
    ) -> Finding {
        do throws(ConfigurationProblems) {
            guard ConfigurationFileKind(of: bytes) == .node else {
                let gateway = try GatewayConfiguration.read(bytes, file: file)
                let problems = gateway.certificateProblems.map { "\(file): \($0)" }
                let summary =
                    "a good gateway file: \(count(gateway.listeners, "listener")), "
                    + "\(count(gateway.routes, "route")), \(count(gateway.upstreams, "upstream"))"
                return Finding(problems: problems, advice: [], summary: summary)
            }
            let node = try NodeConfiguration.read(bytes, file: file)
            let summary = "a good node file: node \(node.node.id) (\(node.node.name)) of \(count(node.peers, "peer"))"
            let conflicts = try conflicts(of: node, readOther: readOther)
            let problems = (node.certificateProblem.map { [$0] } ?? []) + conflicts
            return Finding(problems: problems.map { "\(file): \($0)" }, advice: node.advice, summary: summary)
        } catch {
            return Finding(problems: error.problems.map(\.description), advice: [], summary: "")
        }
    }

    /// A gateway file that is not there is no fault of the node file: it only seeds the first configuration.
    private static func conflicts(
        of node: NodeConfiguration, readOther: (String) throws(CommandFailure) -> [UInt8]
    ) throws(ConfigurationProblems) -> [String] {
        guard let file = node.gatewayFile, let bytes = try? readOther(file) else { return [] }
        let gateway = try GatewayConfiguration.read(bytes, file: file)
        return node.conflicts(with: gateway) + gateway.certificateProblems
    }

    private static func count(_ elements: [some Any], _ noun: String) -> String {
        "\(elements.count) \(noun)\(elements.count == 1 ? "" : "s")"
    }
}
