import Glibc
import Posix
import Testing

/// The scenarios that broke other implementations, each with where it was seen. Every one of them is the subject of a
/// test whose name begins with it.
@Suite struct ScenarioTests {
    private static let scenarios = [
        "lower-term node under pre-vote never elected (etcd#8243)",
        "rejected pre-vote must spread the higher term (openraft#1796)",
        "granting a pre-vote must not reset the timer (hashicorp/raft#609)",
        "quorumless leader kept alive through a bridge node (openraft#2080)",
        "duplicate vote counted twice",
        "transfer cancelled by pre-vote",
        "transfer target not caught up",
        "reads served mid-transfer",
        "removed server disrupts",
        "previous-term entry committed by counting (nats-server#7955)",
        "commit index by clever incremental structure (openraft#1802)",
        "stale or reordered acknowledgements",
        "async write ABA",
        "suffix truncated front-to-back",
        "conflicting entry kept at the snapshot index (hashicorp/raft#697)",
        "follower restarts mid-snapshot",
        "disk full during snapshot but log purged (braft#461)",
        "membership missing from the snapshot",
        "leader removes itself",
        "two-node removal",
        "ReadIndex before a current-term commit (etcd#7331)",
        "lease not expired at transfer (raft#99)",
        "process paused past its lease",
        "torn write and zero tail",
        "corruption on a minority (Jepsen NATS 2.12.1)",
        "fsync failure",
        "stalled leader disk (hashicorp/raft#503)",
        "big snapshot blocks heartbeats",
        "applied index and state not atomic (etcd v3.5)",
        "newest log segment lost unnoticed",
    ]

    @Test(arguments: scenarios)
    func everyScenarioHasATestOfItsName(scenario: String) throws {
        #expect(Self.sources.contains { $0.contains("@Test(\"\(scenario)") || $0.contains("        \"\(scenario)") })
    }

    /// The tests of Raft and of the simulator, as they were compiled, without this file.
    private static let sources: [String] = {
        let file: String = #filePath
        let tests = file.split(separator: "/").dropLast(2).joined(separator: "/")
        return ["RaftTests/Core", "RaftTests/Storage", "RaftTests/Driver"].flatMap { texts(in: "/\(tests)/\($0)") }
    }()

    private static func texts(in directory: String) -> [String] {
        guard let stream = opendir(directory) else { return [] }
        defer { closedir(stream) }
        var texts: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name.hasSuffix(".swift"), let text = try? readFile("\(directory)/\(name)", limit: 1 << 20) {
                texts.append(String(decoding: text, as: UTF8.self))
            }
        }
        return texts
    }
}
