import Raft

/// What concerns members and the leader.
extension AdminRoute {
    static func addition(_ request: AdminRequest, of node: NodeID) throws(Refused) -> MemberChange.Wish {
        let document = try document(
            NewMemberDocument.self, in: request,
            form: #"{"name": "gw4", "raft": "10.0.0.4:8101", "admin": "10.0.0.4:8091", "votes": true}"#)
        guard Schema<String>.isName(document.name) else {
            throw refused(
                400, "the name is none", "use 1 to 64 letters, digits, `-`, `_` or `.`, the first a letter or digit")
        }
        guard let raft = HostPort(parsing: document.raft), let admin = AdminPlace(parsing: document.admin),
            admin != .tcp(raft)
        else { throw refused(400, "raft or admin is no address", "give two different ones as in 10.0.0.4:8101") }
        let record = MemberRecord(
            id: node, name: document.name, raft: raft.description, admin: admin.description, version: "")
        return .add(record, votes: document.votes)
    }

    static func target(_ request: AdminRequest) throws(Refused) -> NodeID? {
        if request.body.isEmpty { return nil }
        let form = "{\"to\": 2} with the id of a node, or nothing for the best one"
        guard let number = try document(LeadershipMoveDocument.self, in: request, form: form).to else { return nil }
        return try nodeID("\(number)")
    }

    fileprivate static func nodeID(_ text: String) throws(Refused) -> NodeID {
        guard let number = Int(text), NodeConfiguration.nodeIDs.contains(number) else {
            throw refused(400, "that is no node's id", "use a number from 1 to \(NodeConfiguration.nodeIDs.upperBound)")
        }
        return NodeID(UInt64(number))
    }
}

extension AdminRoute.PathParameters {
    func node() throws(AdminRoute.Refused) -> NodeID { try AdminRoute.nodeID(self["id"]) }
}
