import Gateway
import Posix
import Raft
import Testing

@Suite struct LiveFeedTests {
    private static func topics(_ messages: [LiveFeed.Message]) -> [LiveSubscription.Topic] { messages.map(\.topic) }

    private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    private static func view(at time: Int64 = 0, _ change: (inout ClusterState) -> Void = { _ in }) -> LiveView {
        var sources = Sample.sources()
        change(&sources.state)
        var view = Sample.view
        view.status = sources.document()
        view.live = sources.liveDocument(at: WallTime(millisecondsSince1970: time))
        view.journal = sources.state.journal
        return view
    }

    private static func elect(_ state: inout ClusterState) {
        _ = state.apply(
            .leaderElected(LeaderRecord(node: NodeID(2), term: Term(9), at: WallTime(millisecondsSince1970: 0))))
    }

    @Test func onlyWhatIsNewIsTold() {
        var feed = LiveFeed()
        #expect(Self.topics(feed.messages(on: Self.view())) == [.status, .sample])
        #expect(feed.messages(on: Self.view()).isEmpty)
        #expect(Self.topics(feed.messages(on: Self.view(at: 1000))) == [.status, .sample])
        var counting = Self.view(at: 1000)
        counting.status.nodes[0].commitIndex = 999
        counting.status.upstreams[0].backends[0].activeRequests = 7
        #expect(feed.messages(on: counting).isEmpty, "figures wait for the next sample")
    }

    @Test func aChangeIsToldWithoutASample() {
        var feed = LiveFeed()
        _ = feed.messages(on: Self.view())
        var changed = Self.view()
        changed.status.nodes[0].alive = false
        #expect(Self.topics(feed.messages(on: changed)) == [.status])
    }

    @Test func eventsAreToldOnceWithTheirNumber() throws {
        var feed = LiveFeed()
        _ = feed.messages(on: Self.view())
        let messages = feed.messages(on: Self.view(Self.elect))
        let events = messages.filter { $0.topic == .event }
        try #require(events.count == 1)
        let sequence = Self.view(Self.elect).journal.nextSequence - 1
        let text = Self.text(events[0].bytes)
        #expect(text.hasPrefix("event: event\nid: \(sequence)\ndata: {"))
        #expect(text.hasSuffix("}\n\n") && text.contains("leader-elected"))
        #expect(feed.messages(on: Self.view(Self.elect)).allSatisfy { $0.topic != .event })
    }

    @Test func aNewWatcherGetsAllItAskedFor() {
        let view = Self.view(Self.elect)
        let all = Self.text(LiveFeed.greeting(LiveSubscription(), view))
        #expect(all.hasPrefix("retry: "))
        for topic in LiveSubscription.Topic.allCases { #expect(all.contains("\nevent: \(topic.rawValue)\n")) }
        let count = all.components(separatedBy: "event: event\n").count - 1
        #expect(count == view.journal.entries.count)
        let later = LiveSubscription(topics: [.event], after: view.journal.nextSequence - 2)
        let few = Self.text(LiveFeed.greeting(later, view))
        #expect(few.components(separatedBy: "event: ").count == 2, "one event and nothing else: \(few)")
    }

    /// A line break within a message would end it.
    @Test func aMessageIsOneLineWhateverItSays() throws {
        var view = Self.view()
        view.status.cluster = "a\nb\r\n\nevent: event\ndata: {}"
        for message in Self.text(LiveFeed.greeting(LiveSubscription(), view)).components(separatedBy: "\n\n").dropLast()
        {
            let lines = message.split(separator: "\n", omittingEmptySubsequences: false)
            #expect(
                lines.allSatisfy {
                    $0.hasPrefix("event: ") || $0.hasPrefix("data: ") || $0.hasPrefix("id: ") || $0.hasPrefix("retry: ")
                })
            #expect(!message.contains("\r"))
        }
    }
}

extension String {
    fileprivate func components(separatedBy separator: String) -> [String] {
        var parts: [String] = []
        var rest = self[...]
        while let range = rest.firstRange(of: separator) {
            parts.append(String(rest[..<range.lowerBound]))
            rest = rest[range.upperBound...]
        }
        return parts + [String(rest)]
    }
}
