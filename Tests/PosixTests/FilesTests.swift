import Glibc
import Posix
import Testing

@Suite struct FilesTests {
    /// A path in a directory of its own, which `body` may fill.
    private func withDirectory(_ body: (String) throws -> Void) throws {
        var template = Array("/tmp/gwnode-posix-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        let directory = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
        defer { _ = try? ChildProcess("/bin/rm", ["-rf", directory]).wait() }
        try body(directory)
    }

    @Test func aReplacedFileIsReadBackWhole() throws {
        try withDirectory { directory in
            let path = "\(directory)/a"
            let bytes = (0..<200_000).map { UInt8(truncatingIfNeeded: $0) }
            try replaceFile(path, with: [1])
            try replaceFile(path, with: bytes)
            #expect(try readFile(path, limit: bytes.count) == bytes)
            let tooLong = #expect(throws: SystemError.self) { try readFile(path, limit: bytes.count - 1) }
            #expect(tooLong?.code == EFBIG)
        }
    }

    @Test func directoriesAreMadeWithTheirParents() throws {
        try withDirectory { directory in
            try makeDirectories("\(directory)/a/b/c")
            try makeDirectories("\(directory)/a/b/c")
            try replaceFile("\(directory)/a/b/c/file", with: [1])
            #expect(throws: SystemError.self) { try makeDirectories("\(directory)/a/b/c/file/d") }
        }
    }

    @Test func errorsNameTheFileAndTheCure() {
        let failure = #expect(throws: SystemError.self) { try readFile("/nonexistent/x", limit: 1) }
        #expect(failure?.description == "open /nonexistent/x: No such file or directory")
        #expect(failure?.cure == "check the path")
        #expect(SystemError("bind", "0.0.0.0:80", code: EACCES).cure.contains("CAP_NET_BIND_SERVICE"))
        #expect(SystemError("open", "/etc/x", code: EACCES).cure == "give this user the right to it")
    }
}
