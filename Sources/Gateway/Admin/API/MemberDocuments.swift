/// The answer of `GET /v1/members`.
package struct MembersDocument: Codable, Hashable, Sendable {
    package var members: [StatusDocument.Node]

    package init(members: [StatusDocument.Node]) { self.members = members }
}

/// The body of `PUT /v1/members/{id}`.
package struct NewMemberDocument: Codable, Hashable, Sendable {
    package var name: String
    /// `HOST:PORT`, as the other nodes reach it.
    package var raft: String
    package var admin: String
    /// Whether it shall vote once it has caught up.
    package var votes: Bool

    package init(name: String, raft: String, admin: String, votes: Bool) {
        self.name = name
        self.raft = raft
        self.admin = admin
        self.votes = votes
    }
}

/// The body of `POST /v1/leader/transfer`.
package struct LeadershipMoveDocument: Codable, Hashable, Sendable {
    /// The id of the node that shall lead; null or absent: the voter that is closest behind.
    package var to: UInt64?

    package init(to: UInt64?) { self.to = to }
}

/// The answer of `GET /v1/leader`.
package struct LeaderDocument: Codable, Hashable, Sendable {
    /// The id of the leader that the answering node knows.
    @NullIfAbsent package var leader: UInt64?
    @NullIfAbsent package var name: String?
    package var term: UInt64

    init(_ status: StatusDocument) {
        leader = status.leader
        name = status.nodes.first { $0.id == status.leader }?.name
        term = status.term
    }
}

/// The answer to a change of members or of the leader: agreed on, and followed by the leader from now on.
package struct WishDocument: Codable, Hashable, Sendable {
    package var accepted: Bool
}

extension NewMemberDocument: DescribedDocument {
    static var properties: [String: [String: JSONValue]] {
        let address: [String: JSONValue] = ["description": "HOST:PORT.", "examples": ["10.0.0.4:8101"]]
        return [
            "name": ["pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"], "raft": address, "admin": address,
            "votes": ["description": "Whether it shall vote once it has caught up."],
        ]
    }
}
