import Posix

/// Keeps web pages that the operator visits from using the admin API through the operator's browser.
package enum BrowserGuard {
    /// The answer to a request that must not be served, nil when it may. Two attacks are met:
    /// - DNS rebinding, where a foreign name resolves to this machine: `Host` must be an address, `localhost` or one
    ///   of `names`.
    /// - Requests across sites: `Origin` must be the server itself, and `Sec-Fetch-Site` nothing foreign.
    package static func refusal(of fields: AdminRequest.Fields, names: Set<String>) -> AdminResponse? {
        guard let host = fields.host else {
            return .problem(403, "the Host field is missing", right: "send the address of the node in it")
        }
        guard isTrusted(host: host, names) else {
            return .problem(
                403, "the admin API is not served under that name", right: "use the address of the node")
        }
        if let origin = fields.origin, origin != "http://\(host)" {
            return .problem(403, "a page of another origin must not use the admin API")
        }
        if let site = fields.fetchSite, site != "same-origin", site != "none" {
            return .problem(403, "a page of another site must not use the admin API")
        }
        return nil
    }

    private static func isTrusted(host: String, _ names: Set<String>) -> Bool {
        if SocketAddress(host) != nil || IPAddress(host)?.isIPv4 == true { return true }
        if host.hasPrefix("["), host.hasSuffix("]") { return IPAddress(String(host.dropFirst().dropLast())) != nil }
        let name = host.split(separator: ":", omittingEmptySubsequences: false)[0].lowercased()
        return name == "localhost" || names.contains(name)
    }
}
