import Gateway
import Testing

@Suite struct AdminRequestTests {
    @Test(arguments: [
        ("/v1/config", ["v1", "config"]), ("/", []), ("//v1//config/", ["v1", "config"]),
        ("/a%2Fb/%5b::1%5D:80", ["a/b", "[::1]:80"]), ("/%c3%bc", ["ü"]),
    ])
    func segments(path: String, expected: [String]) {
        #expect(AdminRequest.segments(path) == expected)
    }

    @Test(arguments: [
        ("a=1&b=2", ["a": "1", "b": "2"]), ("", [:]), ("stale", ["stale": ""]), ("a=1&a=2", ["a": "2"]),
        ("name=x%20%3D%26y", ["name": "x =&y"]), ("a==", ["a": "="]),
    ])
    func query(text: String, expected: [String: String]) {
        #expect(AdminRequest.query(text) == expected)
    }

    @Test(arguments: ["%", "%4", "%zz", "a%ff", "%c3%28"])
    func brokenEncodingsAreRefused(text: String) {
        #expect(AdminRequest.segments("/\(text)") == nil)
        #expect(AdminRequest.query("a=\(text)") == nil)
    }

    @Test(arguments: [("0", 0), ("18446744073709551615", UInt64.max)])
    func revision(text: String, number: UInt64) {
        #expect(Revision(parsing: text)?.number == number)
    }

    @Test(arguments: ["", "+1", "-1", "1 ", "18446744073709551616", "١"])
    func noRevision(text: String) {
        #expect(Revision(parsing: text) == nil)
    }
}
