import TLS

/// What the workers of a node have done, upstream by upstream left out.
extension NodeMetrics {
    func write(requests page: inout MetricsText) {
        page.counter("gwnode_requests_total", "Requests whose head was read, refused ones included.", proxy.requests)
        page.family(
            "gwnode_responses_total", .counter, "Final responses by the class of their status, 1xx being tunnels.",
            proxy.responses.enumerated().map { .init(Double($1), ("class", "\($0 + 1)xx")) })
        page.counter("gwnode_retries_total", "Attempts at a further backend.", proxy.retries)
        page.counter("gwnode_responses_cut_short_total", "Responses that could not be completed.", proxy.cutShort)
        page.counter("gwnode_client_received_bytes_total", "Bytes received from clients.", proxy.bytesReceived)
        page.counter("gwnode_client_sent_bytes_total", "Bytes sent to clients.", proxy.bytesSent)
        page.counter(
            "gwnode_client_connections_accepted_total", "Connections accepted from clients.", proxy.connectionsAccepted)
        page.counter(
            "gwnode_client_connections_refused_total", "Connections refused because a limit was reached.",
            proxy.connectionsRefused)
    }

    /// TLS and PROXY headers, and what is wrong with certificates.
    func write(beginnings page: inout MetricsText) {
        page.family(
            "gwnode_tls_handshakes_total", .counter, "Handshakes with clients, in full or by a session from before.",
            [
                .init(Double(proxy.handshakes), ("kind", "full")),
                .init(Double(proxy.resumedHandshakes), ("kind", "resumed")),
            ])
        page.family(
            "gwnode_tls_handshakes_failed_total", .counter, "Handshakes with clients that failed, by the reason.",
            HandshakeFault.allCases.map { .init(Double(proxy.failedHandshakes[$0] ?? 0), ("reason", $0.name)) })
        page.counter(
            "gwnode_proxy_protocol_connections_total", "Connections that began with a PROXY header.",
            proxy.introductions)
        page.family(
            "gwnode_proxy_protocol_refused_total", .counter,
            "Connections refused for what came instead of a PROXY header, by the reason.",
            ProxyHeaderFault.allCases.map {
                .init(Double(proxy.refusedIntroductions[$0] ?? 0), ("reason", $0.name))
            })
        page.family(
            "gwnode_tls_backend_handshakes_total", .counter,
            "Handshakes with backends, in full or by a session from before, and those that failed.",
            [
                .init(Double(proxy.backendHandshakes), ("kind", "full")),
                .init(Double(proxy.resumedBackendHandshakes), ("kind", "resumed")),
                .init(Double(proxy.failedBackendHandshakes), ("kind", "failed")),
            ])
        page.gauge(
            "gwnode_certificate_problems", "Certificates and keys in files that this node can not use.",
            status.ownReport.problems.count)
    }

    func write(movedConnections page: inout MetricsText) {
        page.family(
            "gwnode_client_connections_moved_total", .counter,
            "Open connections of clients that went on at another node, came from there, or ended on the way.",
            [
                .init(Double(proxy.moved.away), ("direction", "away")),
                .init(Double(proxy.moved.here), ("direction", "here")),
                .init(Double(proxy.moved.lost), ("direction", "lost")),
            ])
        page.gauge(
            "gwnode_client_connections_guarded",
            "Open connections of clients that would go on at another node if this process were killed.",
            proxy.moved.guarded)
        page.family(
            "gwnode_client_connections_rebuilt_total", .counter,
            "Connections of clients of a machine that died: those that went on here, those whose clients were told that they "
                + "ended, and those that their clients had ended.",
            [
                .init(Double(proxy.rebuilt.here), ("outcome", "here")),
                .init(Double(proxy.rebuilt.ended), ("outcome", "ended")),
                .init(Double(proxy.rebuilt.gone), ("outcome", "gone")),
            ])
        page.gauge(
            "gwnode_client_connections_known",
            "Connections of other nodes' clients that this node could try to go on with.",
            proxy.rebuilt.known)
        page.counter(
            "gwnode_connection_records_sent_total",
            "Records of clients' connections that were shared with other nodes.",
            proxy.rebuilt.shared)
        page.counter(
            "gwnode_connection_records_refused_total", "Records of other nodes for which there was no room.",
            proxy.rebuilt.refused)
    }

    func write(connections page: inout MetricsText) {
        page.counter("gwnode_upstream_connects_total", "Connections opened to backends.", proxy.upstreamConnects)
        page.counter(
            "gwnode_access_log_dropped_total", "Lines of the access log that came faster than they could be written.",
            proxy.accessLogDropped)
        page.gauge("gwnode_requests_active", "Requests under way, tunnels included.", proxy.activeRequests)
        page.gauge("gwnode_client_connections", "Open connections of clients.", proxy.clientConnections)
        page.gauge("gwnode_upstream_connections", "Open connections to backends.", proxy.upstreamConnections)
    }
}
