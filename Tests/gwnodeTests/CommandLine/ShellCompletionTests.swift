import FoundationEssentials
import Glibc
import Posix
import Testing
import gwnode

@Suite struct ShellCompletionTests {
    @Test(arguments: [
        (["gwnode", "conf"], "config"),
        (["gwnode", "config", ""], "show apply history diff rollback"),
        (["gwnode", "config", "diff", "--f"], "--from"),
        (["gwnode", "status", "--format", ""], "table json"),
        (["gwnode", "status", "--w"], "--watch"),
        (["gwnode", "completions", ""], "bash zsh fish"),
    ])
    func bashCompletes(words: [String], expected: String) throws {
        let line = words.map { "'\($0)'" }.joined(separator: " ")
        let script =
            ShellCompletion.bash.script
            + "COMP_WORDS=(\(line)); COMP_CWORD=\(words.count - 1); _gwnode; echo \"${COMPREPLY[*]}\"\n"
        #expect(try output(of: "/bin/bash", script) == expected + "\n")
    }

    /// Every word of the command line is there, whichever the shell.
    @Test(arguments: ShellCompletion.allCases) func scriptsKnowAllCommands(shell: ShellCompletion) {
        for command in CommandName.allCases {
            for word in command.words { #expect(shell.script.contains(word)) }
            for option in command.syntax.options { #expect(shell.script.contains(option.name.dropFirst(2))) }
        }
    }

    @Test func manualPageHasEveryCommandAndNoStrayRequests() {
        let requests: Set = [".TH", ".SH", ".SS", ".PP", ".TP", ".RS", ".RE", ".EX", ".EE", ".B", ".I"]
        for line in ManualPage.text.split(separator: "\n") where line.hasPrefix(".") {
            #expect(requests.contains(String(line.prefix { $0 != " " })), "\(line)")
        }
        for command in CommandName.allCases {
            #expect(ManualPage.text.contains(".SS gwnode \(command.rawValue.replacing("-", with: "\\-"))"))
        }
    }

    private func output(of shell: String, _ script: String) throws -> String {
        var template = Array("/tmp/gwnode-completion-XXXXXX".utf8CString)
        let descriptor = FileDescriptor(owning: mkstemp(&template))
        let path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
        defer { unlink(path) }
        let process = try ChildProcess(shell, ["-c", script], output: descriptor.raw)
        try #require(process.wait() == .exited(status: 0))
        return try String(contentsOfFile: path, encoding: .utf8)
    }
}
