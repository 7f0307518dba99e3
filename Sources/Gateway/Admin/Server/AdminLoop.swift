import Glibc
import Posix
import TLS

/// The admin server's thread: waits for connections, requests and finished answers, and never for anything else.
/// Made by one thread and then used by its own alone.
final class AdminLoop: @unchecked Sendable {
    enum Event: Sendable {
        case answer(connection: UInt64, AdminResponse)
        /// There may be something new for watchers.
        case news
        /// Another process accepts connections from now on.
        case leave
        case stop
    }

    /// An answer for each connection, the stop, and answers to connections that are gone.
    static let mailboxCapacity = 2 * AdminLimits.connections

    private enum Token {
        static let listener: UInt64 = 0
        static let mailbox: UInt64 = 1
        static let firstConnection: UInt64 = 2
    }

    private let listener: AdminListener
    private let mailbox: Mailbox<Event>
    private let handler: AdminHandler
    private let security: AdminSecurity?
    private let hasPostedNews: NewsFlag
    private let poller: Poller
    private let fields = FieldTable()
    private var connections: [UInt64: AdminConnection] = [:]
    private var nextToken = Token.firstConnection
    /// Set while no connections are accepted, with the time to begin again at the latest.
    private var acceptPausedUntil: Instant?
    private var isLeft = false
    private var isStopping = false
    private var live = LiveStreams()

    init(
        listener: AdminListener, mailbox: Mailbox<Event>, handler: AdminHandler, security: AdminSecurity?,
        hasPostedNews: NewsFlag
    ) throws(SystemError) {
        self.listener = listener
        self.mailbox = mailbox
        self.handler = handler
        self.security = security
        self.hasPostedNews = hasPostedNews
        poller = try Poller(capacity: 64)
        try poller.add(listener.descriptor, .read, token: Token.listener)
        try poller.add(mailbox.descriptor, .read, token: Token.mailbox)
    }

    func run() {
        while !isStopping {
            do throws(SystemError) {
                let count = try poller.wait(timeoutMilliseconds: timeout(from: .now()))
                for index in 0..<count { handle(poller.event(index).token, at: .now()) }
            } catch {
                Log.error("admin: \(error); the admin API stops")
                return
            }
            expire(at: .now())
            feedWatchers(at: .now())
            handler.begin()
        }
    }

    private func handle(_ token: UInt64, at now: Instant) {
        switch token {
        case Token.listener: acceptWaiting(at: now)
        case Token.mailbox: for event in mailbox.drain() { handle(event, at: now) }
        case _: if let connection = connections[token] { advance(connection, token, at: now) }
        }
    }

    private func handle(_ event: Event, at now: Instant) {
        switch event {
        case .answer(let token, let response):
            guard let connection = connections[token] else { return }
            if let subscription = response.stream {
                beginStream(subscription, response, connection, token, at: now)
            } else {
                connection.answer(response, at: now)
            }
            advance(connection, token, at: now)
        case .news:
            hasPostedNews.clear()
            live.hasNews = true
        case .leave:
            isLeft = true
            pauseAccepting(until: .distantFuture)
        case .stop: isStopping = true
        }
    }

    private func acceptWaiting(at now: Instant) {
        while connections.count < AdminLimits.connections {
            var author = ""
            do throws(SystemError) {
                guard let socket = try listener.accept(author: &author) else { return }
                let token = nextToken
                let raw = socket.raw
                guard let connection = connection(socket, author, at: now) else { continue }
                try poller.add(raw, [.read, .write, .peerClosed, .edgeTriggered], token: token)
                nextToken += 1
                connections[token] = connection
            } catch {
                Log.warning("admin: \(error)")
                pauseAccepting(until: now + AdminLimits.acceptPause)
                return
            }
        }
        pauseAccepting(until: .distantFuture)
    }

    private func connection(_ socket: consuming FileDescriptor, _ author: String, at now: Instant) -> AdminConnection? {
        do throws(TLSFailure) {
            return try AdminConnection(socket, author: author, security: security, at: now)
        } catch {
            security?.note("\(error)", from: author)
            return nil
        }
    }

    private func pauseAccepting(until instant: Instant) {
        acceptPausedUntil = instant
        try? poller.modify(listener.descriptor, [], token: Token.listener)
    }

    private func resumeAccepting() {
        if isLeft { return }
        acceptPausedUntil = nil
        try? poller.modify(listener.descriptor, .read, token: Token.listener)
    }

    /// Goes on with a connection as far as it gets without waiting.
    private func advance(_ connection: AdminConnection, _ token: UInt64, at now: Instant) {
        while true {
            switch connection.advance(fields, at: now) {
            case .waits: return
            case .closes:
                connections[token] = nil
                live.watchers[token] = nil
                if acceptPausedUntil == .distantFuture { resumeAccepting() }
                return
            case .asks(let request):
                let mailbox = self.mailbox
                handler.handle(request) { response in
                    if !mailbox.post(.answer(connection: token, response)) {
                        Log.warning("admin: an answer was dropped, too many wait")
                    }
                }
                return
            }
        }
    }

    // Watchers.

    private func beginStream(
        _ subscription: LiveSubscription, _ response: AdminResponse, _ connection: AdminConnection, _ token: UInt64,
        at now: Instant
    ) {
        guard live.watchers.count < AdminLimits.streams else {
            let problem = AdminResponse.problem(
                503, "\(AdminLimits.streams) watchers are served already", right: "close one, or ask another node")
            return connection.answer(problem, at: now)
        }
        connection.beginStream(response, at: now)
        guard connection.isStreaming else { return }
        let view = handler.services.live()
        // Those who were here before must not miss what this one is greeted with.
        send(live.feed.messages(on: view), at: now)
        connection.stream(LiveFeed.greeting(subscription, view), at: now)
        live.watchers[token] = subscription
    }

    private func feedWatchers(at now: Instant) {
        guard live.takeRound(at: now) else { return }
        send(live.feed.messages(on: handler.services.live()), at: now)
    }

    private func send(_ messages: [LiveFeed.Message], at now: Instant) {
        for (token, subscription) in live.watchers {
            guard let connection = connections[token] else { continue }
            let wanted = messages.filter { subscription.topics.contains($0.topic) }
            connection.stream(wanted.flatMap(\.bytes), at: now)
            if !connection.isStreaming { advance(connection, token, at: now) }
        }
    }

    private func expire(at now: Instant) {
        for (token, connection) in connections where connection.deadline <= now {
            connection.expire(at: now)
            advance(connection, token, at: now)
        }
        if let acceptPausedUntil, acceptPausedUntil <= now { resumeAccepting() }
    }

    private func timeout(from now: Instant) -> Int32 {
        let own = min(acceptPausedUntil ?? .distantFuture, live.nextRound)
        let deadline = connections.values.reduce(own) { min($0, $1.deadline) }
        guard deadline != .distantFuture else { return -1 }
        return Int32(clamping: (deadline - now).count / 1_000_000 + 1)
    }
}
