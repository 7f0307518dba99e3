/// Finds the route of a request: the most specific host that has a matching path, and of its paths the longest
/// prefix that ends on a segment boundary.
///
/// One open-addressing table holds all (host, prefix) pairs. A look-up walks the path once, hashing as it goes,
/// and probes at each segment boundary, so its cost grows with the path's segments and not with the routes.
package struct RouteMatcher: ~Copyable {
    package struct Rule: Hashable, Sendable {
        package var host: HostPattern
        /// Begins with `/`; `/` matches every path. No trailing slash otherwise.
        package var prefix: String
        package var target: Int32

        package init(host: HostPattern, prefix: String, target: Int32) {
            self.host = host
            self.prefix = prefix
            self.target = target
        }
    }

    private struct Bucket {
        var hash: UInt64 = 0
        var offset: Int32 = 0
        var length: Int32 = 0
        var target: Int32 = -1
    }

    private enum Scope: UInt8 {
        case exact = 1
        case wildcard = 2
        case any = 3
    }

    private let buckets: UnsafeMutableBufferPointer<Bucket>
    private let bytes: UnsafeMutableRawBufferPointer
    private let usesHosts: Bool
    private let longestPrefix: Int

    /// Of two rules with the same host and prefix the first one counts; the configuration refuses such pairs.
    package init(_ rules: [Rule]) {
        let keys = rules.map { RouteMatcher.key($0) }
        bytes = .allocate(byteCount: max(1, keys.reduce(0) { $0 + $1.count }), alignment: 1)
        var capacity = 8
        while capacity < rules.count * 2 { capacity *= 2 }
        buckets = .allocate(capacity: capacity)
        buckets.initialize(repeating: Bucket())
        usesHosts = rules.contains { $0.host != .any }
        longestPrefix = rules.map { $0.prefix.utf8.count }.max() ?? 0
        var used = 0
        for (rule, key) in zip(rules, keys) {
            for (position, byte) in key.enumerated() { bytes[used + position] = byte }
            let hash = key.reduce(RouteMatcher.emptyHash) { RouteMatcher.extend($0, $1) }
            var index = Int(truncatingIfNeeded: hash) & (capacity - 1)
            while buckets[index].target >= 0 { index = (index + 1) & (capacity - 1) }
            buckets[index] = Bucket(
                hash: hash, offset: Int32(used), length: Int32(key.count), target: rule.target)
            used += key.count
        }
    }

    deinit {
        buckets.deallocate()
        bytes.deallocate()
    }

    /// The target of the best rule, nil when none matches. `host` is without a port and in any case; `path` is
    /// normalised and begins with `/`.
    package borrowing func target(host: RawSpan, path: RawSpan) -> Int32? {
        guard usesHosts else { return longestMatch(.any, host: host, from: host.byteCount, path: path) }
        if let target = longestMatch(.exact, host: host, from: 0, path: path) { return target }
        var position = 0
        while position < host.byteCount {
            if host.byte(position) == UInt8(ascii: "."), position > 0,
                let target = longestMatch(.wildcard, host: host, from: position + 1, path: path)
            {
                return target
            }
            position += 1
        }
        return longestMatch(.any, host: host, from: host.byteCount, path: path)
    }

    private borrowing func longestMatch(
        _ scope: Scope, host: RawSpan, from start: Int, path: RawSpan
    ) -> Int32? {
        var hash = RouteMatcher.extend(RouteMatcher.emptyHash, scope.rawValue)
        var position = start
        while position < host.byteCount {
            hash = RouteMatcher.extend(hash, lowercased(host.byte(position)))
            position += 1
        }
        hash = RouteMatcher.extend(hash, 0)
        var best = find(hash, scope, host: host, from: start, path: path, prefixLength: 0)
        let end = min(path.byteCount, longestPrefix)
        for index in 0..<end {
            hash = RouteMatcher.extend(hash, path.byte(index))
            let length = index + 1
            guard length == path.byteCount || path.byte(length) == UInt8(ascii: "/") else { continue }
            if let target = find(hash, scope, host: host, from: start, path: path, prefixLength: length) {
                best = target
            }
        }
        return best
    }

    private borrowing func find(
        _ hash: UInt64, _ scope: Scope, host: RawSpan, from start: Int, path: RawSpan, prefixLength: Int
    ) -> Int32? {
        let mask = buckets.count - 1
        var index = Int(truncatingIfNeeded: hash) & mask
        while buckets[index].target >= 0 {
            let bucket = buckets[index]
            if bucket.hash == hash,
                matches(bucket, scope, host: host, from: start, path: path, prefixLength: prefixLength)
            {
                return bucket.target
            }
            index = (index + 1) & mask
        }
        return nil
    }

    private borrowing func matches(
        _ bucket: Bucket, _ scope: Scope, host: RawSpan, from start: Int, path: RawSpan, prefixLength: Int
    ) -> Bool {
        let hostLength = host.byteCount - start
        guard Int(bucket.length) == 1 + hostLength + 1 + prefixLength else { return false }
        let hostOffset = Int(bucket.offset) + 1
        let prefixOffset = hostOffset + hostLength + 1
        guard bytes[hostOffset - 1] == scope.rawValue, bytes[prefixOffset - 1] == 0 else { return false }
        for index in 0..<hostLength where bytes[hostOffset + index] != lowercased(host.byte(start + index)) {
            return false
        }
        for index in 0..<prefixLength where bytes[prefixOffset + index] != path.byte(index) { return false }
        return true
    }

    /// Scope, host, a zero byte, prefix; the prefix `/` is kept as the empty one, which matches before the first
    /// boundary.
    private static func key(_ rule: Rule) -> [UInt8] {
        let prefix = rule.prefix == "/" ? "" : rule.prefix
        switch rule.host {
        case .exact(let name): return [Scope.exact.rawValue] + Array(name.utf8) + [0] + Array(prefix.utf8)
        case .wildcard(let name): return [Scope.wildcard.rawValue] + Array(name.utf8) + [0] + Array(prefix.utf8)
        case .any: return [Scope.any.rawValue, 0] + Array(prefix.utf8)
        }
    }

    private static let emptyHash: UInt64 = 0xcbf2_9ce4_8422_2325

    /// FNV-1a, one multiplication a byte.
    @inline(__always)
    private static func extend(_ hash: UInt64, _ byte: UInt8) -> UInt64 { (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
}

@inline(__always)
private func lowercased(_ byte: UInt8) -> UInt8 { byte >= 65 && byte <= 90 ? byte | 0x20 : byte }

extension RawSpan {
    @inline(__always)
    fileprivate func byte(_ index: Int) -> UInt8 { unsafeLoad(fromByteOffset: index, as: UInt8.self) }
}
