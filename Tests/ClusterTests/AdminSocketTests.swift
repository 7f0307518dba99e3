import FoundationEssentials
import Glibc
import Testing

extension ClusterTests {
    @Suite struct AdminSocketTests {
        /// As an operator has it: by the command line, over a kill, with the user's name in the history.
        @Test func nodeIsAskedOnItsSocketAndTakesItOverFromOneThatWasKilled() throws {
            let cluster = try TestCluster(nodes: 1)
            cluster.kill(1, signal: SIGTERM)
            let file = "\(cluster.directory)/gw1.json5"
            let text = try String(contentsOfFile: file, encoding: .utf8)
            let own = "admin: \"\(cluster.nodes[0].admin)\",\n  peers"
            try text.replacing(own, with: "admin: \"unix:admin.sock\",\n  peers").write(
                toFile: file, atomically: false, encoding: .utf8)
            let socket = "unix:\(cluster.directory)/admin.sock"
            for _ in 0..<2 {
                try cluster.start(1)
                let change = ["keys", "put", "where", "here", "--admin", socket]
                #expect(eventually { try? cluster.run(change, asking: []).status == 0 ? true : nil } == true)
                let question = ["status", "--config", file]
                #expect(
                    eventually { try? cluster.run(question, asking: []).status == 0 ? true : nil } == true,
                    "\(cluster.logs())")
                cluster.kill(1)
            }
            try cluster.start(1)
            let upload = ["config", "apply", "\(cluster.directory)/gateway.json5", "--admin", socket]
            #expect(eventually { try? cluster.run(upload, asking: []).status == 0 ? true : nil } == true)
            let user = String(cString: getpwuid(getuid()).pointee.pw_name)
            #expect(
                try cluster.run(["config", "history", "--admin", socket], asking: []).output.contains("user \(user)"))
        }
    }
}
