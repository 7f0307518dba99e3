import Posix

/// The answer of `GET /v1/config/history`: newest first, with the one in force at the head.
package struct HistoryDocument: Codable, Hashable, Sendable {
    package struct Entry: Codable, Hashable, Sendable {
        package var revision: UInt64
        package var author: String
        package var at: String
        package var bytes: Int
        package var inForce: Bool
    }

    package var revisions: [Entry]

    package init(_ state: ClusterState) {
        let records = state.history + [state.configuration].compactMap(\.self)
        revisions = records.reversed().map { record in
            Entry(
                revision: record.revision.number, author: record.author, at: record.at.description,
                bytes: record.source.utf8.count, inForce: record.revision == state.revision)
        }
    }
}

/// The body of `POST /v1/config/rollback`.
package struct RollbackDocument: Codable, Hashable, Sendable {
    /// Whose text is wanted back; the one before that in force unless given.
    package var revision: UInt64?

    package init(revision: UInt64?) { self.revision = revision }
}

/// The answer of `POST /v1/config/rollback`.
package struct RestoredDocument: Codable, Hashable, Sendable {
    /// The new revision, which is in force now.
    package var revision: UInt64
    /// The one that has the same text.
    package var restored: UInt64
}

/// The answer of `GET /v1/events`: the last things that happened to the cluster, oldest first.
package struct EventsDocument: Codable, Hashable, Sendable {
    package struct Event: Codable, Hashable, Sendable {
        package var sequence: UInt64
        package var at: String
        /// For programs, such as `leader-elected`.
        package var kind: String
        /// For people.
        package var text: String
    }

    package var events: [Event]
    /// What a reader passes as `after` next time.
    package var last: UInt64

    package init(_ journal: Journal, after: UInt64) {
        events = journal.entries.filter { $0.sequence > after }.map { entry in
            Event(
                sequence: entry.sequence, at: entry.at.description, kind: entry.event.kind,
                text: entry.event.description)
        }
        last = journal.nextSequence - 1
    }
}
