import Glibc
import Posix
import Testing

@Suite struct ChildProcessTests {
    @Test func theEndIsToldAndToldAgain() throws {
        let child = try ChildProcess("/bin/sh", ["-c", "exit 7"])
        #expect(child.wait() == .exited(status: 7))
        #expect(child.poll() == .exited(status: 7))
        child.signal(SIGKILL)
    }

    @Test func aSignalIsAnEndToo() throws {
        let child = try ChildProcess("/bin/sleep", ["1000"])
        #expect(child.poll() == nil)
        child.signal(SIGKILL)
        #expect(child.wait() == .killed(signal: SIGKILL))
    }

    @Test func theEnvironmentGivenWins() throws {
        let child = try ChildProcess(
            "/bin/sh", ["-c", #"test "$HOME" = /nowhere && test -n "$PATH""#], environment: ["HOME=/nowhere"])
        #expect(child.wait() == .exited(status: 0))
    }

    @Test func whatIsNotThereIsAnError() {
        #expect(throws: SystemError.self) { try ChildProcess("/nonexistent", []) }
    }
}
