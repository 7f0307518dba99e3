import FoundationEssentials
import Glibc
import Posix
import Testing

/// The example command that is shipped, with an `aws` that keeps its one association in a file.
@Suite struct ExampleHookTests {
    private static let aws = """
        #!/bin/sh
        association=$(dirname "$0")/association
        case $2 in
        describe-addresses)
            holder=$(cat "$association" 2> /dev/null || echo None)
            printf 'eipalloc-1\\teipassoc-%s\\t%s\\n' "$holder" "$holder"
            ;;
        associate-address) [ "$4 $7" = "eipalloc-1 --allow-reassociation" ] && echo "$6" > "$association" ;;
        disassociate-address) [ "$4" = "eipassoc-$(cat "$association")" ] && rm "$association" ;;
        *) exit 64 ;;
        esac

        """

    @Test func oneInstanceHasTheAddress() throws {
        var template = Array("/tmp/gwnode-hook-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        let directory = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
        defer { _ = try? FileManager.default.removeItem(atPath: directory) }
        try Self.aws.write(toFile: "\(directory)/aws", atomically: false, encoding: .utf8)
        chmod("\(directory)/aws", 0o755)
        let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../../..")
            .standardizedFileURL
        let example = root.appending(path: "cluster-configs/exec/aws-elastic-ip").path
        func call(_ verb: String, at instance: String) throws -> ChildProcess.End {
            let path = getenv("PATH").map { String(cString: $0) } ?? ""
            return try ChildProcess(
                example, [verb, "203.0.113.10", "4"],
                environment: ["PATH=\(directory):\(path)", "INSTANCE_ID=\(instance)"]
            ).wait()
        }

        #expect(try call("status", at: "i-1") == .exited(status: 1))
        #expect(try call("release", at: "i-1") == .exited(status: 0))
        #expect(try call("claim", at: "i-1") == .exited(status: 0))
        #expect(try call("status", at: "i-1") == .exited(status: 0))
        #expect(try call("claim", at: "i-2") == .exited(status: 0))
        #expect(try call("status", at: "i-1") == .exited(status: 1))
        #expect(try call("release", at: "i-1") == .exited(status: 0), "and leaves it where it is")
        #expect(try call("status", at: "i-2") == .exited(status: 0))
        #expect(try call("release", at: "i-2") == .exited(status: 0))
        #expect(try call("status", at: "i-2") == .exited(status: 1))
        #expect(try call("jump", at: "i-2") == .exited(status: 64))
    }
}
