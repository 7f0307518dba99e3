import Gateway
import Testing

@Suite struct ClientPolicySchemaTests {
    @Test(arguments: [
        (
            "limits: {headBytes: 65536}",
            "clients.limits.headBytes: \"65536\" is out of range; use a whole number from 1024 to 32768"
        ),
        (
            "limits: {headBytes: 4096}",
            "clients.limits.requestLineBytes: longer than the whole head; use at most headBytes"
        ),
        (
            "timeouts: {head: '1ms'}",
            "clients.timeouts.head: \"1ms\" is out of range; use a duration from 100ms to 10m"
        ),
        (
            "trustedProxies: ['10.0.0.1/8']",
            "clients.trustedProxies[0]: \"10.0.0.1/8\" has bits behind its prefix; use \"10.0.0.0/8\""
        ),
        (
            "trustedProxies: ['0.0.0.0/0']",
            "clients.trustedProxies[0]: \"0.0.0.0/0\" has no prefix length from 1 to 32; "
                + "use a network such as \"10.0.0.0/8\" or \"2001:db8::/32\", or one address"
        ),
        (
            "trustedProxies: ['proxy']",
            "clients.trustedProxies[0]: \"proxy\" is no network; "
                + "use a network such as \"10.0.0.0/8\" or \"2001:db8::/32\", or one address"
        ),
        (
            "trustedProxies: ['10.0.0.1', '10.0.0.1/32']",
            "clients.trustedProxies[1]: \"10.0.0.1/32\" is here for the second time; the first is on line 1"
        ),
        (
            "forwardedField: 'forwarded-for'",
            "clients.forwardedField: \"forwarded-for\" is unknown; did you mean \"x-forwarded-for\"?"
        ),
    ])
    func reportsWhatIsWrong(clients: String, problem: String) {
        let text = "{listeners: [{name: 'web', port: 80}], routes: [], upstreams: [], clients: {\(clients)}}"
        #expect(throws: ConfigurationProblems.self) {
            try GatewayConfiguration.read(Array(text.utf8), file: "g.json5")
        }
        do throws(ConfigurationProblems) {
            _ = try GatewayConfiguration.read(Array(text.utf8), file: "g.json5")
        } catch {
            let lines = error.problems.map(\.description)
            #expect(lines.count == 1 && lines[0].hasSuffix(": \(problem)"), "\(lines)")
        }
    }
}
