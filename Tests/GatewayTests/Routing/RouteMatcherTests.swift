import Gateway
import Testing

@Suite struct RouteMatcherTests {
    private func target(_ rules: [RouteMatcher.Rule], host: String, path: String) -> Int32? {
        let matcher = RouteMatcher(rules)
        let host = Array(host.utf8)
        let path = Array(path.utf8)
        return matcher.target(host: host.span.bytes, path: path.span.bytes)
    }

    private let anyHost: [RouteMatcher.Rule] = [
        .init(host: .any, prefix: "/", target: 0),
        .init(host: .any, prefix: "/api", target: 1),
        .init(host: .any, prefix: "/api/v2", target: 2),
        .init(host: .any, prefix: "/round-robin", target: 3),
    ]

    @Test(arguments: [
        ("/", 0), ("/x", 0), ("/api", 1), ("/api/", 1), ("/api/v1", 1), ("/api/v2", 2), ("/api/v2/x/y", 2),
        ("/api/v22", 1), ("/apix", 0), ("/round-robin", 3), ("/round-robinx", 0), ("/API", 0),
    ])
    func longestPrefixOnASegmentBoundary(path: String, expected: Int32) {
        #expect(target(anyHost, host: "example.com", path: path) == expected)
    }

    private let hosts: [RouteMatcher.Rule] = [
        .init(host: .any, prefix: "/", target: 0),
        .init(host: .exact("example.com"), prefix: "/shop", target: 1),
        .init(host: .wildcard("example.com"), prefix: "/", target: 2),
        .init(host: .wildcard("eu.example.com"), prefix: "/", target: 3),
        .init(host: .exact("a.example.com"), prefix: "/", target: 4),
    ]

    @Test(arguments: [
        ("example.com", "/shop", 1), ("EXAMPLE.com", "/shop/cart", 1), ("example.com", "/other", 0),
        ("b.example.com", "/", 2), ("a.example.com", "/x", 4), ("x.eu.example.com", "/", 3),
        ("x.y.example.com", "/", 2), ("notexample.com", "/shop", 0), (".example.com", "/", 0), ("", "/", 0),
    ])
    func mostSpecificHostWithAMatchingPath(host: String, path: String, expected: Int32) {
        #expect(target(hosts, host: host, path: path) == expected)
    }

    @Test func noRuleNoTarget() {
        #expect(target([], host: "example.com", path: "/") == nil)
        #expect(target([.init(host: .any, prefix: "/api", target: 1)], host: "example.com", path: "/") == nil)
        #expect(target([.init(host: .exact("a"), prefix: "/", target: 1)], host: "b", path: "/") == nil)
    }

    @Test func agreesWithASearchThroughAllRules() {
        var random = RandomSource(seed: 7)
        let segments = ["a", "b", "ab", "c"]
        let names = ["x.com", "a.x.com", "b.a.x.com", "y.org"]
        func path() -> String {
            "/" + (0..<random.below(4)).map { _ in segments[Int(random.below(4))] }.joined(separator: "/")
        }
        for _ in 0..<300 {
            var rules: [RouteMatcher.Rule] = []
            for target in 0..<Int32(random.below(12)) {
                let name = names[Int(random.below(4))]
                let host: HostPattern =
                    switch random.below(3) {
                    case 0: .any
                    case 1: .exact(name)
                    default: .wildcard(name)
                    }
                let rule = RouteMatcher.Rule(host: host, prefix: path(), target: target)
                if !rules.contains(where: { $0.host == rule.host && $0.prefix == rule.prefix }) { rules.append(rule) }
            }
            let host = names[Int(random.below(4))]
            let request = path()
            let expected = rules.filter { matches($0, host, request) }.max { rank($0) < rank($1) }
            #expect(target(rules, host: host, path: request) == expected?.target, "\(rules) \(host) \(request)")
        }
    }

    private func matches(_ rule: RouteMatcher.Rule, _ host: String, _ path: String) -> Bool {
        let hostMatches =
            switch rule.host {
            case .any: true
            case .exact(let name): host == name
            case .wildcard(let name): host.hasSuffix("." + name)
            }
        return hostMatches && (rule.prefix == "/" || path == rule.prefix || path.hasPrefix(rule.prefix + "/"))
    }

    private func rank(_ rule: RouteMatcher.Rule) -> [Int] {
        let prefix = rule.prefix == "/" ? 0 : rule.prefix.utf8.count
        switch rule.host {
        case .any: return [0, 0, prefix]
        case .wildcard(let name): return [1, name.utf8.count, prefix]
        case .exact: return [2, 0, prefix]
        }
    }
}

extension Array where Element == Int {
    fileprivate static func < (left: [Int], right: [Int]) -> Bool { left.lexicographicallyPrecedes(right) }
}
