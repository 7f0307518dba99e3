import Gateway
import Testing

@Suite struct NodeMetricsTests {
    private let lines = Sample.metrics().text.split(separator: "\n").map(String.init)

    @Test(arguments: [
        #"gwnode_info{cluster="demo",node="gw\"2",version="0.1.0"} 1"#,
        #"gwnode_backend_requests_total{upstream="app",backend="10.0.0.1:80"} 7"#,
        #"gwnode_backend_ejected{upstream="app",backend="10.0.0.1:80"} 1"#,
        #"gwnode_backend_healthy{upstream="app",backend="10.0.0.2:80"} 0"#,
        #"gwnode_virtual_address_held{address="127.0.0.100"} 0"#,
        #"gwnode_responses_total{class="5xx"} 0"#,
        #"gwnode_upstream_responses_total{upstream="app",class="2xx"} 3"#,
        #"gwnode_upstream_request_duration_seconds_bucket{upstream="app",le="9.8304e-05"} 0"#,
        #"gwnode_upstream_request_duration_seconds_bucket{upstream="app",le="0.000131072"} 1"#,
        #"gwnode_upstream_request_duration_seconds_bucket{upstream="app",le="+Inf"} 3"#,
        #"gwnode_upstream_request_duration_seconds_count{upstream="app"} 3"#,
        #"gwnode_raft_fsync_duration_seconds_count 0"#,
        #"gwnode_raft_peer_round_trip_seconds_sum{peer="gw1"} 0.0"#,
        "process_cpu_seconds_total 1.5",
        "gwnode_config_revision 1",
    ])
    func hasTheSample(_ line: String) { #expect(lines.contains(line)) }

    /// A family is announced once, before its samples, and they stand together.
    @Test func familiesAreWhole() {
        var announced: [String] = []
        for line in lines where !line.hasPrefix("# HELP") {
            if line.hasPrefix("# TYPE") {
                announced.append(String(line.split(separator: " ")[2]))
            } else {
                let name = line.prefix { $0 != "{" && $0 != " " }
                let family = announced.last ?? ""
                #expect(["", "_bucket", "_sum", "_count"].contains { name == family + $0 }, "\(line)")
            }
        }
        #expect(Set(announced).count == announced.count)
    }

    @Test func countersAreNamedAsSuch() {
        for line in lines where line.hasPrefix("# TYPE") {
            let words = line.split(separator: " ")
            #expect(words[2].hasSuffix("_total") == (words[3] == "counter"), "\(line)")
        }
    }

    @Test func valuesOfLabelsAndNumbersAreWrittenAsPrometheusReadsThem() {
        var page = MetricsText()
        page.family("a", .gauge, "b\nc", [.init(.infinity, ("l", "x\\y\n\"z")), .init(0.25), .init(1e15)])
        page.family("empty", .gauge, "nothing", [])
        #expect(
            page.text == "# HELP a b\\nc\n# TYPE a gauge\na{l=\"x\\\\y\\n\\\"z\"} +Inf\na 0.25\na 1000000000000000\n")
    }
}
