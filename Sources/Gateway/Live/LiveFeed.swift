import FoundationEssentials
import Posix

/// Everything that a watcher of the cluster is told about, at one moment.
package struct LiveView: Sendable {
    package var node: NodeDocument
    package var status: StatusDocument
    package var live: LiveDocument
    /// Of the last minutes, oldest first, with the present one.
    package var history: [LiveDocument.Point]
    package var journal: Journal

    package init(
        node: NodeDocument, status: StatusDocument, live: LiveDocument, history: [LiveDocument.Point], journal: Journal
    ) {
        self.node = node
        self.status = status
        self.live = live
        self.history = history
        self.journal = journal
    }
}

/// What a watcher has asked for.
package struct LiveSubscription: Hashable, Sendable {
    /// The name of a kind of message, as server-sent events have them.
    package enum Topic: String, CaseIterable, Sendable {
        /// Which node answers; once, at the beginning.
        case hello
        /// The last minutes of the whole cluster; once, at the beginning.
        case history
        /// Who leads, holds the addresses and is healthy: at once when that changes, and with every sample.
        case status
        /// Rates and latencies, once a second.
        case sample
        /// An entry of the journal. Its sequence number is the message's id.
        case event
    }

    package var topics: Set<Topic>
    /// Only later events; nil for all that are kept.
    package var after: UInt64?

    package init(topics: Set<Topic> = Set(Topic.allCases), after: UInt64? = nil) {
        self.topics = topics
        self.after = after
    }
}

/// Makes messages for watchers of what has changed from one view to the next: server-sent events (WHATWG HTML,
/// section 9.2), UTF-8, one line of JSON each.
package struct LiveFeed {
    package typealias Topic = LiveSubscription.Topic
    package typealias Message = (topic: Topic, bytes: [UInt8])

    private var news: StatusDocument?
    private var sampledAt: String?
    private var lastSequence: UInt64?

    package init() {}

    /// For those who were greeted before.
    package mutating func messages(on view: LiveView) -> [Message] {
        var messages: [Message] = []
        let isSampled = sampledAt != view.live.at
        let present = view.status.withoutFigures
        if isSampled || news != present { messages.append(Self.message(.status, view.status)) }
        let known = lastSequence ?? view.journal.nextSequence - 1
        messages += Self.events(view.journal, after: known)
        if isSampled { messages.append(Self.message(.sample, view.live)) }
        news = present
        sampledAt = view.live.at
        lastSequence = max(known, view.journal.nextSequence - 1)
        return messages
    }

    /// For one who has just come. `messages` goes on from the same view.
    package static func greeting(_ subscription: LiveSubscription, _ view: LiveView) -> [UInt8] {
        var messages = [
            message(.hello, view.node), message(.history, view.history), message(.status, view.status),
            message(.sample, view.live),
        ]
        messages += events(view.journal, after: subscription.after ?? 0)
        let wanted = messages.filter { subscription.topics.contains($0.topic) }
        // A dropped connection is made again after a second, elsewhere if the page knows how.
        return Array("retry: 1000\n\n".utf8) + wanted.flatMap(\.bytes)
    }

    /// Keeps what lies between from taking the connection for dead.
    package static let heartbeat = Array(":\n\n".utf8)

    private static func events(_ journal: Journal, after sequence: UInt64) -> [Message] {
        EventsDocument(journal, after: sequence).events.map { message(.event, $0, id: $0.sequence) }
    }

    private static func message(_ topic: Topic, _ document: some Encodable, id: UInt64? = nil) -> Message {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(document) else {
            preconditionFailure("documents hold no number that JSON can not express")
        }
        let head = "event: \(topic.rawValue)\n" + (id.map { "id: \($0)\n" } ?? "") + "data: "
        return (topic, Array(head.utf8) + data + Array("\n\n".utf8))
    }
}

extension StatusDocument {
    /// What is no news when it changes, taken out.
    fileprivate var withoutFigures: StatusDocument {
        var status = self
        for index in status.nodes.indices {
            status.nodes[index].commitIndex = nil
            status.nodes[index].appliedIndex = nil
            status.nodes[index].trailing = nil
        }
        for index in status.upstreams.indices {
            for backend in status.upstreams[index].backends.indices {
                status.upstreams[index].backends[backend].activeRequests = 0
            }
        }
        return status
    }
}
