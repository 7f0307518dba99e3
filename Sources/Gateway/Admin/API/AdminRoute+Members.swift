import FoundationEssentials
import Raft

/// The routes of members and of the leader.
extension AdminRoute {
    static func memberRoute(_ request: AdminRequest) throws(Refused) -> AdminRoute {
        switch request.path.dropFirst() {
        case ["members"]:
            try expect(request, .get, .head)
            return .members(consistency(request))
        case let path where path.first == "members" && path.count == 2:
            try expect(request, .put, .delete)
            let node = try nodeID(request.path[2])
            return .changeMember(request.method == .put ? try addition(request, of: node) : .remove(node))
        case let path where path.first == "members" && path.count == 3 && path.last == "vote":
            try expect(request, .put)
            return .changeMember(.promote(try nodeID(request.path[2])))
        case ["leader", "transfer"]:
            try expect(request, .post)
            return .moveLeadership(to: try target(request))
        case _:
            throw refused(
                404, "there is no such resource; there are /v1/members/{id}, /v1/members/{id}/vote, /v1/leader/transfer"
            )
        }
    }

    private static func nodeID(_ text: String) throws(Refused) -> NodeID {
        guard let number = Int(text), NodeConfiguration.nodeIDs.contains(number) else {
            throw refused(400, "\(text) is not a node id from 1 to \(NodeConfiguration.nodeIDs.upperBound)")
        }
        return NodeID(UInt64(number))
    }

    private static func addition(_ request: AdminRequest, of node: NodeID) throws(Refused) -> MemberChange.Wish {
        guard let document = try? JSONDecoder().decode(NewMemberDocument.self, from: Data(request.body)) else {
            throw refused(400, "the body is not {\"name\": …, \"raft\": HOST:PORT, \"admin\": HOST:PORT, \"votes\": …}")
        }
        guard Schema<String>.isName(document.name) else {
            throw refused(400, "name has to be 1 to 64 letters, digits, `-`, `_` or `.`, the first a letter or digit")
        }
        guard let raft = HostPort(parsing: document.raft), let admin = HostPort(parsing: document.admin), raft != admin
        else { throw refused(400, "raft and admin have to be two different addresses as in 10.0.0.4:8101") }
        let record = MemberRecord(
            id: node, name: document.name, raft: raft.description, admin: admin.description, version: "")
        return .add(record, votes: document.votes)
    }

    private static func target(_ request: AdminRequest) throws(Refused) -> NodeID? {
        if request.body.isEmpty { return nil }
        guard let document = try? JSONDecoder().decode(LeadershipMoveDocument.self, from: Data(request.body)) else {
            throw refused(400, "the body is not {\"to\": NODE} with the id of a node, or empty")
        }
        guard let number = document.to else { return nil }
        return try nodeID(String(number))
    }
}
