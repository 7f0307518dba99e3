import Gateway
import Glibc
import Posix
import Raft
import Synchronization
import Testing

/// The server over real sockets, with the requests of well-behaved and of hostile clients.
@Suite final class AdminServerTests {
    private let node = FakeNode()
    private let server: AdminServer

    init() throws {
        server = try AdminServer(
            .tcp(HostPort(host: "127.0.0.1", port: 0)),
            handler: AdminHandler(services: node.services, names: ["gw1.example.org"]))
    }

    deinit { server.stop() }

    private func exchange(_ request: String) throws -> String {
        let client = try AdminClient(server.address)
        try client.send(request)
        client.endSending()
        return try client.receiveAll()
    }

    private func head(_ line: String, _ fields: String..., length: Int? = nil) -> String {
        let length = length.map { ["Content-Length: \($0)"] } ?? []
        return (["\(line) HTTP/1.1", "Host: \(server.address)"] + fields + length).joined(separator: "\r\n")
            + "\r\n\r\n"
    }

    private func put(_ path: String, _ body: String, _ fields: String...) throws -> String {
        try send("PUT", path, body, fields)
    }

    private func post(_ path: String, _ body: String, _ fields: String...) throws -> String {
        try send("POST", path, body, fields)
    }

    private func send(_ method: String, _ path: String, _ body: String, _ fields: [String]) throws -> String {
        let extra = fields.map { "\($0)\r\n" }.joined()
        let start = "\(method) \(path) HTTP/1.1\r\nHost: \(server.address)\r\n"
        return try exchange("\(start)\(extra)Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
    }

    @Test(arguments: [
        "/v1/status", "/v1/status?stale", "/v1/status?stale=true", "/v1/health", "/v1/leader", "/v1/members",
        "/v1/node", "/v1/version", "/v1/openapi.json", "/v1/backends", "/v1/upstreams", "/v1/upstreams/app",
        "/v1/config",
        "/v1/config/history", "/v1/events", "/v1/keys", "/v1/snapshot", "/livez", "/readyz", "/metrics",
    ])
    func resourcesAnswer(path: String) throws {
        let answer = try exchange(head("GET \(path)"))
        #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(answer.contains("\r\nConnection: keep-alive\r\n"))
        let withoutBody = try exchange(head("HEAD \(path)"))
        #expect(withoutBody == answer.prefix(withoutBody.count))
        #expect(withoutBody.hasSuffix("\r\n\r\n"))
    }

    @Test func connectionIsKeptAndRequestsMayBePipelined() throws {
        let answers = try exchange(head("GET /livez") + head("GET /readyz") + head("GET /livez", "Connection: close"))
        #expect(answers.components(of: "HTTP/1.1 200 OK") == 3)
        #expect(answers.contains("Connection: close\r\n"))
    }

    @Test func requestMayComeInDrips() throws {
        let client = try AdminClient(server.address)
        for character in head("GET /livez", "Connection: close") { try client.send(String(character)) }
        #expect(try client.receiveAll().hasSuffix("live\n"))
    }

    @Test func problemsSayWhatIsWrongWhatWouldBeRightAndWhere() throws {
        let answer = try exchange(head("GET /v1/upstreams/aqp"))
        #expect(answer.hasPrefix("HTTP/1.1 404 ") && answer.contains("Content-Type: application/problem+json\r\n"))
        for part in [
            #""type" : "about:blank""#, #""title" : "Not Found""#, #""status" : 404"#,
            #""detail" : "there is no upstream aqp""#, #""right" : "did you mean app?""#,
            #""instance" : "/v1/upstreams/aqp""#,
        ] {
            #expect(answer.contains(part), "\(part)")
        }
        let wrongMethod = try exchange(head("DELETE /v1/config"))
        #expect(wrongMethod.contains("\r\nAllow: GET, HEAD, PUT\r\n") && wrongMethod.contains("/v1/config"))
        #expect(try exchange(head("GET /v1/status?stale=perhaps")).hasPrefix("HTTP/1.1 400 "))
    }

    @Test func notReadyIsSaid() throws {
        node.unreadiness.withLock { $0 = "no leader is known" }
        #expect(try exchange(head("GET /readyz")).contains("no leader is known"))
    }

    @Test func configurationIsReplacedOnlyAtItsRevision() throws {
        let first = try exchange(head("GET /v1/config"))
        #expect(first.contains("ETag: \"1\"\r\n") && first.hasSuffix("// first\n{}"))
        #expect(try put("/v1/config", "{second: 2}", "If-Match: \"1\"").contains("\"revision\" : 2"))
        #expect(try put("/v1/config", "{third: 3}", "If-Match: \"1\"").hasPrefix("HTTP/1.1 412 "))
        #expect(try exchange(head("GET /v1/config")).hasSuffix("{second: 2}"))
        #expect(try put("/v1/config", "{third: 3}").contains("\"revision\" : 3"))
        #expect(try put("/v1/config", "{}", "If-Match: W/\"1\"").hasPrefix("HTTP/1.1 400 "))
    }

    @Test func earlierRevisionsAreListedComparedAndBroughtBack() throws {
        #expect(try exchange(head("POST /v1/config/rollback", length: 0)).hasPrefix("HTTP/1.1 404 "))
        _ = try put("/v1/config", "// second\n{}")
        _ = try put("/v1/config", "// third\n{}")
        #expect(try exchange(head("GET /v1/config?revision=1")).hasSuffix("// first\n{}"))
        #expect(try exchange(head("GET /v1/config?revision=9")).contains("revisions 1 to 3"))
        #expect(try exchange(head("GET /v1/config/diff")).contains("\n-// second\n+// third\n"))
        #expect(try exchange(head("GET /v1/config/diff?from=1&to=2")).contains("\n-// first\n+// second\n"))
        #expect(try exchange(head("GET /v1/config/diff?from=x")).hasPrefix("HTTP/1.1 400 "))

        let back = try post("/v1/config/rollback", "")
        #expect(back.contains("\"restored\" : 2") && back.contains("\"revision\" : 4"))
        #expect(try exchange(head("GET /v1/config")).hasSuffix("// second\n{}"))
        #expect(try post("/v1/config/rollback", "{\"revision\": 1}").contains("\"revision\" : 5"))
        #expect(try post("/v1/config/rollback", "", "If-Match: \"3\"").hasPrefix("HTTP/1.1 412 "))
        #expect(try post("/v1/config/rollback", "{\"revision\": 77}").hasPrefix("HTTP/1.1 404 "))
        #expect(try post("/v1/config/rollback", "{\"revision\": -1}").hasPrefix("HTTP/1.1 400 "))
        let history = try exchange(head("GET /v1/config/history"))
        #expect(history.split(separator: "\"revision\" : ").count == 6 && history.contains("back to 1"))
    }

    @Test func eventsAreListedAfterANumber() throws {
        _ = try put("/v1/config", "{}")
        #expect(try exchange(head("GET /v1/events")).contains("\"kind\" : \"configuration-applied\""))
        let rest = try exchange(head("GET /v1/events?after=1"))
        #expect(rest.contains("\"sequence\" : 2") && !rest.contains("\"sequence\" : 1"))
        #expect(rest.contains("\"last\" : 2"))
        #expect(try exchange(head("GET /v1/events?after=now")).hasPrefix("HTTP/1.1 400 "))
    }

    @Test func validatorsLinesComeBackAndNothingChanges() throws {
        let answer = try put("/v1/config?name=my%20gateway.json5", "bad")
        #expect(answer.hasPrefix("HTTP/1.1 422 "))
        #expect(answer.contains("\"my gateway.json5:1:1: x: bad; good\""))
        #expect(answer.contains("Content-Type: application/problem+json\r\n"))
        #expect(try put("/v1/config?validate=only", "bad").hasPrefix("HTTP/1.1 422 "))
        #expect(try put("/v1/config?validate=only", "{}").contains("\"revision\" : null"))
        #expect(try put("/v1/config?validate=perhaps", "{}").hasPrefix("HTTP/1.1 400 "))
        #expect(node.held.withLock { $0.state.revision.number } == 1)
    }

    @Test func largestConfigurationFitsAndTheAnswerIsAwaited() throws {
        let size = 1 << 20
        let client = try AdminClient(server.address)
        try client.send(head("PUT /v1/config", "Expect: 100-continue", length: size))
        #expect(try client.receiveResponse() == "HTTP/1.1 100 Continue\r\n\r\n")
        node.withheld.withLock { $0 = [] }
        try client.send(String(repeating: " ", count: size))
        #expect(try exchange(head("GET /livez")).hasPrefix("HTTP/1.1 200 "))
        while node.withheld.withLock({ $0?.isEmpty ?? false }) {
            #expect(try exchange(head("GET /livez")).hasPrefix("HTTP/1.1 200 "))
        }
        node.release()
        #expect(try client.receiveResponse().contains("\"revision\" : 2"))
        #expect(node.held.withLock { $0.lastUpload?.source.utf8.count } == size)
    }

    @Test func wishesAboutMembersArriveAsTheyWereMeant() throws {
        let added = #"{"name": "gw4", "raft": "10.0.0.4:1", "admin": "10.0.0.4:2", "votes": true}"#
        #expect(try put("/v1/members/4", added).hasPrefix("HTTP/1.1 202 "))
        #expect(try put("/v1/members/4/vote", "").hasPrefix("HTTP/1.1 202 "))
        #expect(try exchange(head("DELETE /v1/members/3")).hasPrefix("HTTP/1.1 202 "))
        let record = MemberRecord(id: NodeID(4), name: "gw4", raft: "10.0.0.4:1", admin: "10.0.0.4:2", version: "")
        #expect(
            node.held.withLock { $0.wishes }
                == [.add(record, votes: true), .promote(NodeID(4)), .remove(NodeID(3))])
        let gone = try exchange(head("DELETE /v1/members/9"))
        #expect(gone.hasPrefix("HTTP/1.1 409 ") && !gone.contains("retryable"))
        for (path, body) in [
            ("/v1/members/0", added), ("/v1/members/x", added), ("/v1/members/4", "{}"),
            ("/v1/members/4", added.replacing("gw4", with: "g w")),
            ("/v1/members/4", added.replacing(":2", with: ":1")),
        ] {
            #expect(try put(path, body).hasPrefix("HTTP/1.1 400 "), "\(path) \(body)")
        }
    }

    @Test func transfersOfLeadershipNameTheNodeOrLeaveItOpen() throws {
        func transfer(_ body: String) throws -> String {
            try exchange(head("POST /v1/leader/transfer", length: body.utf8.count) + body)
        }
        #expect(try transfer(#"{"to": 2}"#).hasPrefix("HTTP/1.1 202 "))
        #expect(try transfer("{}").hasPrefix("HTTP/1.1 202 "))
        let unreachable = try transfer(#"{"to": 3}"#)
        #expect(unreachable.hasPrefix("HTTP/1.1 409 ") && unreachable.contains("\"retryable\" : true"))
        #expect(node.held.withLock { $0.moves } == [NodeID(2), nil, NodeID(3)])
        #expect(try transfer(#"{"to": 0}"#).hasPrefix("HTTP/1.1 400 "))
    }

    @Test func keysAreSetReadListedAndDeleted() throws {
        let set = try put("/v1/keys/deploy/lock", "alice", "If-None-Match: *")
        #expect(set.hasPrefix("HTTP/1.1 200 ") && set.contains("ETag: \"1\"\r\n"))
        #expect(set.hasSuffix("{\"revision\": 1}\n"))
        let taken = try put("/v1/keys/deploy/lock", "bob", "If-None-Match: *")
        #expect(taken.hasPrefix("HTTP/1.1 412 ") && taken.contains("exists, at revision 1"))
        let read = try exchange(head("GET /v1/keys/deploy/lock"))
        #expect(read.hasSuffix("\r\n\r\nalice") && read.contains("ETag: \"1\"\r\n"))
        #expect(try put("/v1/keys/flag", "", "If-Match: *").hasPrefix("HTTP/1.1 412 "))
        #expect(try put("/v1/keys/flag", "").hasSuffix("{\"revision\": 2}\n"))
        let list = try exchange(head("GET /v1/keys?prefix=deploy%2F"))
        #expect(list.contains("\"key\" : \"deploy/lock\"") && !list.contains("\"flag\""))
        #expect(try exchange(head("DELETE /v1/keys/deploy/lock", "If-Match: \"9\"")).hasPrefix("HTTP/1.1 412 "))
        let deleted = try exchange(head("DELETE /v1/keys/deploy/lock", "If-Match: \"1\""))
        #expect(deleted.hasSuffix("{\"revision\": 3}\n") && !deleted.contains("ETag"))
        for line in ["DELETE /v1/keys/deploy/lock", "GET /v1/keys/deploy/lock"] {
            #expect(try exchange(head(line)).hasPrefix("HTTP/1.1 404 "), "\(line)")
        }
    }

    @Test func keysAreBoundedBeforeAnythingIsProposed() throws {
        let large = String(repeating: "x", count: KeySpace.Limit.valueBytes)
        #expect(try put("/v1/keys/k", large).hasPrefix("HTTP/1.1 200 "))
        #expect(try put("/v1/keys/k", large + "x").hasPrefix("HTTP/1.1 413 "))
        for path in ["/v1/keys/a%20b", "/v1/keys/" + String(repeating: "k", count: 129)] {
            #expect(try put(path, "").hasPrefix("HTTP/1.1 400 "), "\(path)")
        }
        for fields in [
            ["If-None-Match: \"1\""], ["If-Match: 1"], ["If-Match: *", "If-None-Match: *"], ["If-Match: \"-1\""],
        ] {
            #expect(try put("/v1/keys/k", "", fields.joined(separator: "\r\n")).hasPrefix("HTTP/1.1 400 "))
        }
        #expect(try put("/v1/keys", "").hasPrefix("HTTP/1.1 405 "))
        #expect(try exchange(head("GET /v1/keys?prefix=%20")).hasPrefix("HTTP/1.1 400 "))
        #expect(node.held.withLock { $0.keys.revision } == KeyRevision(1))
    }

    @Test func backendModesAreSet() throws {
        let path = "/v1/backends/app/10.0.0.1%3A80"
        #expect(try put(path, #"{"mode": "draining"}"#).contains("\"mode\" : \"draining\""))
        #expect(node.held.withLock { $0.modes[FakeNode.backend] } == .draining)
        #expect(try put(path, #"{"mode": "sleeping"}"#).hasPrefix("HTTP/1.1 400 "))
        #expect(try put(path, "[[[[").hasPrefix("HTTP/1.1 400 "))
        #expect(try put("/v1/backends/app/10.0.0.9:80", #"{"mode": "enabled"}"#).hasPrefix("HTTP/1.1 404 "))
        #expect(try put("/v1/backends/app/nowhere", #"{"mode": "enabled"}"#).hasPrefix("HTTP/1.1 400 "))
    }

    /// Each is answered with the status and the connection is closed without a reset.
    @Test(arguments: [
        ("GET /nothing HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 404),
        ("DELETE /v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 405),
        ("TRACE /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 405),
        ("GET /livez HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403),
        ("GET /livez HTTP/1.1\r\nHost: gw1.example.org:8091\r\n\r\n", 200),
        ("GET /livez HTTP/1.1\r\nHost: localhost:8091\r\n\r\n", 200),
        ("GET /livez HTTP/1.1\r\nHost: [::1]\r\n\r\n", 200),
        ("GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://evil.example\r\n\r\n", 403),
        ("GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://127.0.0.1\r\n\r\n", 200),
        ("GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nSec-Fetch-Site: cross-site\r\n\r\n", 403),
        ("GET /livez HTTP/1.0\r\n\r\n", 403),
        ("GET /livez HTTP/1.1\r\n\r\n", 400),
        ("GET /livez\r\n\r\n", 400),
        ("GET /%zz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 400),
        ("GET /livez HTTP/3.0\r\nHost: 127.0.0.1\r\n\r\n", 505),
        ("GET /livez HTTP/1.1\r\nHost : 127.0.0.1\r\n\r\n", 400),
        ("PUT /v1/config HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
        ("PUT /v1/config HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1048577\r\n\r\n", 413),
        ("PUT /v1/config HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999999999999999999\r\n\r\n", 400),
        ("PUT /v1/config HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\n\r\n\u{ff}", 400),
        ("\0\0\0\0\r\n\r\n", 400),
    ])
    func hostileRequests(_ request: String, _ status: Int) throws {
        #expect(try exchange(request).hasPrefix("HTTP/1.1 \(status) "))
    }

    @Test func oversizedHeadIsRefusedEvenWithoutAnEnd() throws {
        let field = "X-Filler: " + String(repeating: "x", count: 1000) + "\r\n"
        let request = "GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n" + String(repeating: field, count: 40)
        #expect(try exchange(request).hasPrefix("HTTP/1.1 431 "))
    }

    @Test func aFullServerServesWhoWaitsOnceOneLeaves() throws {
        var idle: [AdminClient] = []
        for _ in 0..<AdminLimits.connections { idle.append(try AdminClient(server.address)) }
        let late = try AdminClient(server.address)
        try late.send(head("GET /livez", "Connection: close"))
        try idle.removeLast().send(head("GET /livez", "Connection: close"))
        #expect(try late.receiveAll().hasSuffix("live\n"))
    }

    @Test func remoteAddressesNeedAToken() {
        let handler = AdminHandler(services: node.services, names: [])
        #expect(throws: AdminServerError.reachableFromOutside(.tcp(HostPort(host: "0.0.0.0", port: 0)))) {
            try AdminServer(.tcp(HostPort(host: "0.0.0.0", port: 0)), handler: handler)
        }
    }
}

extension String {
    fileprivate func components(of part: String) -> Int { ranges(of: part).count }
}
