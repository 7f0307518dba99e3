/// Why a command did not do its work.
package struct CommandFailure: Error, Hashable, Sendable {
    package var code: ExitCode
    /// For people; each is a line of its own.
    package var lines: [String]

    package init(_ code: ExitCode, _ lines: String...) {
        self.code = code
        self.lines = lines
    }

    package init(_ code: ExitCode, lines: [String]) {
        self.code = code
        self.lines = lines
    }
}
