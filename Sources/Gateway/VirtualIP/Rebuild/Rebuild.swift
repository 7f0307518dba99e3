import Posix

/// Rebuilds the connections of a machine that died, at the new holder of their addresses. A pure core: segments and time
/// in, actions out.
///
/// Each client is asked for its present sequence numbers (`TCPSegment.init(asking:)`), and its answer compared with the
/// record of the connection, which may be older than the last request:
/// - Both numbers are those of the record: nothing was sent either way since the connection was at rest, as sequence
///   numbers only grow. It goes on.
/// - The client has got what the record says, and has sent more. If the dead machine acknowledged that, it is lost, and may
///   have been carried out: the client will not send it again, so its connection ends. What was not acknowledged comes
///   again, into the rebuilt connection, and is taken if it may be repeated (`UnheardRequest`).
/// - Anything else ends the connection: bytes that the client lacks, or an answer of which this node knows nothing.
///   So do connections that were not at rest when they were shared.
///
/// So no request is lost unnoticed, and none is carried out twice that must not be.
///
/// `ConnectionEndings` has the clients learn of an end.
package struct Rebuild: Sendable {
    package enum Action: Hashable, Sendable {
        /// Send `TCPSegment(asking:)`.
        case ask(ConnectionRecord)
        /// The connection is to go on here, after so many bytes that the client has to send again.
        case restore(TCPConnectionImage, unheard: Int)
        /// From now on the kernel may answer by itself. These end.
        case unmute(ending: [ConnectionRecord])
    }

    /// What became of the connections.
    package struct Tally: Hashable, Sendable {
        /// They go on; those that have to send something again may end later, and count twice then.
        package var restored = 0
        package var ended = 0
        /// Their clients had ended them, or made new ones from the same port.
        package var gone = 0

        package init() {}
    }

    package enum Limit {
        /// Asked at one time, before their answers are looked at.
        package static let burst = 256
        package static let questions = 6
        /// Until a client is asked again.
        package static let patience = Nanoseconds.milliseconds(120)
        package static let whole = Nanoseconds.milliseconds(800)
    }

    private struct Waiting {
        let record: ConnectionRecord
        let rest: ConnectionRecord.Rest
        var questions = 0
    }

    /// Of a restored connection. The machine that died may have let the client send more, but it has sent nothing.
    private static let receiveWindow: UInt32 = 65_535

    package private(set) var tally = Tally()
    package private(set) var isOver = false
    private var waiting: [ConnectionRecord.Flow: Waiting] = [:]
    private var unasked: ArraySlice<ConnectionRecord.Flow>
    /// In the order of time.
    private var asked: ArraySlice<(flow: ConnectionRecord.Flow, at: Instant)> = []
    private var ended: [ConnectionRecord] = []
    private let deadline: Instant

    package init(_ records: [ConnectionRecord], at now: Instant) {
        for record in records {
            if let rest = record.rest { waiting[record.flow] = Waiting(record: record, rest: rest) }
        }
        unasked = waiting.keys.map(\.self)[...]
        deadline = now + Limit.whole
        ended = records.filter { $0.rest == nil }
        tally.ended = ended.count
    }

    /// When `turn` is due; nil when it is over.
    package var nextDeadline: Instant? {
        if isOver { return nil }
        if waiting.isEmpty || !unasked.isEmpty { return .zero }
        return min(deadline, asked.first.map { $0.at + Limit.patience } ?? .zero)
    }

    /// What the time brings. To be called again and again, with what arrived in between.
    package mutating func turn(at now: Instant) -> [Action] {
        if isOver { return [] }
        if waiting.isEmpty || now >= deadline { return finish() }
        var actions = askAgain(at: now)
        for flow in unasked.prefix(Limit.burst) { actions += ask(flow, at: now) }
        unasked = unasked.dropFirst(Limit.burst)
        return waiting.isEmpty ? finish() : actions
    }

    /// A segment that arrived at `local` from `peer`.
    package mutating func take(_ segment: TCPSegment, at local: IPAddress, from peer: IPAddress) -> Action? {
        let flow = ConnectionRecord.Flow(
            local: SocketAddress(ip: local, port: segment.destinationPort),
            peer: SocketAddress(ip: peer, port: segment.sourcePort))
        guard !isOver, let client = waiting[flow], client.questions > 0 else { return nil }
        switch judge(segment, client.rest) {
        case .nothing: return nil
        case .gone:
            waiting[flow] = nil
            tally.gone += 1
            return nil
        case .end:
            waiting[flow] = nil
            end(client.record)
            return nil
        case .goOn(let unheard):
            waiting[flow] = nil
            tally.restored += 1
            return .restore(image(client.record, client.rest, segment), unheard: unheard)
        }
    }

    private enum Judgement {
        case nothing, gone, end
        case goOn(unheard: Int)
    }

    private func judge(_ segment: TCPSegment, _ rest: ConnectionRecord.Rest) -> Judgement {
        if !segment.flags.isDisjoint(with: [.reset, .syn]) { return .gone }
        // Bytes that come say nothing of what was sent before or behind them; the answer does.
        guard segment.flags.contains(.acknowledgement), segment.payloadCount == 0 else { return .nothing }
        if segment.flags.contains(.fin) || segment.acknowledgement != rest.sendSequence { return .end }
        if rest.options.timestamp != nil, segment.timestamps == nil { return .end }
        let unheard = Int(Int32(bitPattern: segment.sequence &- rest.receiveSequence))
        return 0...UnheardRequest.limit ~= unheard ? .goOn(unheard: unheard) : .end
    }

    private func image(
        _ record: ConnectionRecord, _ rest: ConnectionRecord.Rest, _ answer: TCPSegment
    ) -> TCPConnectionImage {
        var options = rest.options
        // The client has seen no later time of its former gateway's clock than it echoes.
        if let timestamps = answer.timestamps, options.timestamp != nil { options.timestamp = timestamps.echo &+ 1 }
        let window = UInt32(answer.window) << UInt32(options.windowScales?.sending ?? 0)
        return TCPConnectionImage(
            local: record.local, peer: record.peer, options: options,
            windows: .init(
                sendWL1: rest.receiveSequence, send: window, largest: max(window, 1), receive: Self.receiveWindow,
                receiveUpdatedAt: rest.receiveSequence),
            sendSequence: rest.sendSequence, unacknowledged: [], unsentCount: 0,
            receiveSequence: rest.receiveSequence, unread: [])
    }

    private mutating func ask(_ flow: ConnectionRecord.Flow, at now: Instant) -> [Action] {
        guard let record = waiting[flow]?.record else { return [] }
        waiting[flow]?.questions += 1
        asked.append((flow, now))
        return [.ask(record)]
    }

    private mutating func askAgain(at now: Instant) -> [Action] {
        var actions: [Action] = []
        while let (flow, at) = asked.first, at + Limit.patience <= now {
            asked.removeFirst()
            guard let client = waiting[flow] else { continue }
            if client.questions < Limit.questions {
                actions += ask(flow, at: now)
            } else {
                waiting[flow] = nil
                end(client.record)
            }
        }
        return actions
    }

    private mutating func end(_ record: ConnectionRecord) {
        ended.append(record)
        tally.ended += 1
    }

    private mutating func finish() -> [Action] {
        for client in waiting.values { end(client.record) }
        waiting = [:]
        isOver = true
        return [.unmute(ending: ended)]
    }
}
