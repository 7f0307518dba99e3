/// Runs a cluster on this machine.
enum Demo {
    static func start(directory: String?, basePort: UInt16) throws(CommandFailure) -> ExitCode {
        throw CommandFailure(.failure, "this build runs no demo")
    }
}
