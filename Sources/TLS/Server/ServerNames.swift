/// Which certificate answers for which name of a client (RFC 6066, section 3; RFC 6125, section 6.4.3).
package struct ServerNames: Hashable, Sendable {
    private var exact: [String: Int] = [:]
    /// By what follows `*.`.
    private var wildcards: [String: Int] = [:]

    package init() {}

    /// Names of the certificate at `index`; one that an earlier certificate has stays with that.
    package mutating func add(_ names: [String], index: Int) {
        for name in names.map({ $0.lowercased() }) {
            if name.hasPrefix("*.") {
                let suffix = String(name.dropFirst(2))
                if wildcards[suffix] == nil { wildcards[suffix] = index }
            } else if exact[name] == nil {
                exact[name] = index
            }
        }
    }

    /// The certificate for a name: an exact one before a wildcard, whose star stands for one label.
    package func certificate(for name: String) -> Int? {
        var name = name.lowercased()
        if name.hasSuffix(".") { name.removeLast() }
        if let index = exact[name] { return index }
        guard let dot = name.firstIndex(of: "."), dot != name.startIndex else { return nil }
        return wildcards[String(name[name.index(after: dot)...])]
    }
}
