import Gateway
import Testing
import gwnode

private let gateway = """
    {listeners: [{name: "web", port: 8080}], routes: [], upstreams: []}
    """

private func node(_ listen: String) -> String {
    """
    {
      cluster: "demo", node: {id: 1, name: "gw1"}, dataDirectory: "data", gatewayFile: "gateway.json5",
      listen: {\(listen): "127.0.0.1:8081"},
      peers: [{id: 1, name: "gw1", raft: "127.0.0.1:8101", admin: "127.0.0.1:8091"}],
    }
    """
}

private func examine(_ text: String, other: String? = gateway) -> ValidateCommand.Finding {
    ValidateCommand.examine(Array(text.utf8), file: "dir/f.json5") { path throws(CommandFailure) in
        guard path == "dir/gateway.json5", let other else { throw CommandFailure(.failure, "no \(path)") }
        return Array(other.utf8)
    }
}

@Suite struct ValidateCommandTests {
    @Test func gatewayFile() {
        #expect(examine(gateway).summary == "a good gateway file: 1 listener, 0 routes, 0 upstreams")
        #expect(examine(gateway).problems == [])
    }

    @Test func nodeFile() {
        #expect(examine(node("web")).summary == "a good node file: node 1 (gw1) of 1 peer")
        #expect(examine(node("web"), other: nil).problems == [])
    }

    @Test func nodeFileIsComparedWithItsGatewayFile() {
        let problems = examine(node("wbe")).problems
        #expect(problems.count == 1)
        #expect(problems[0].hasPrefix("dir/f.json5: listen.wbe: the gateway file has no such listener"))
    }

    @Test(arguments: ["", "[", "3", "{unknown: 1}", "{cluster: 3}"])
    func problemsHaveTheirPlace(_ text: String) {
        let problems = examine(text).problems
        #expect(!problems.isEmpty)
        #expect(problems.allSatisfy { $0.hasPrefix("dir/f.json5:1:") })
    }
}
