/// Runs one node.
enum Run {
    static func start(configPath: String) throws(CommandFailure) -> ExitCode {
        throw CommandFailure(.failure, "this build runs no nodes")
    }
}
