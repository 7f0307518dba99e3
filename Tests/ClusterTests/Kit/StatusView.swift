/// The JSON of `gwnode status` as an outside tool reads it: written down here a second time, so that a renamed key
/// fails the tests.
struct StatusView: Decodable {
    struct VirtualAddress: Decodable {
        var address: String
        var holder: Int?
    }

    struct Node: Decodable {
        var id: Int
        var name: String
        var member: String
        var transition: String?
        var drained: Bool
        var role: String
        var alive: Bool
        var term: Int?
        var commitIndex: Int?
        var appliedIndex: Int?
        var trailing: Int?
        var problems: [String]
        var raft: String
        var admin: String
        var pid: Int?
        var version: String?
    }

    struct Backend: Decodable {
        var address: String
        var weight: Int
        var mode: String
        var healthy: Bool
        var activeRequests: Int
        var reason: String?
    }

    struct Upstream: Decodable {
        var name: String
        var algorithm: String
        var backends: [Backend]
    }

    var cluster: String
    var term: Int
    var leader: Int?
    var quorum: Bool
    var stale: Bool
    var revision: Int
    var virtualAddresses: [VirtualAddress]
    var nodes: [Node]
    var upstreams: [Upstream]
}
