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
/// To end a connection, its client is asked again when the kernel may answer for itself: it has no such connection, and
/// resets it. Should it have one, because the client has connected anew from the same port, that goes on undisturbed. As any
/// of these segments may be lost, and a client that waits for an answer never sends anything by itself, that is repeated.
package struct Rebuild: Sendable {
    package enum Action: Hashable, Sendable {
        /// Send `TCPSegment(asking:)`.
        case ask(ConnectionRecord)
        /// The connection is to go on here, after so many bytes that the client has to send again.
        case restore(TCPConnectionImage, unheard: Int)
        /// From now on the kernel may answer by itself.
        case unmute
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
        /// For all that is done before the kernel may answer by itself.
        package static let whole = Nanoseconds.milliseconds(800)
        /// From one question to the next of the connections that end. Systems answer a SYN but once in half a second.
        package static let endingPauses = [60, 600, 600].map { Nanoseconds.milliseconds($0) }
    }

    private enum Phase: Equatable {
        case asking
        /// So many times their clients were asked.
        case ending(asked: Int)
        case over
    }

    private struct Waiting {
        let record: ConnectionRecord
        let rest: ConnectionRecord.Rest
        var questions = 0
    }

    /// Of a restored connection. The machine that died may have let the client send more, but it has sent nothing.
    private static let receiveWindow: UInt32 = 65_535

    package private(set) var tally = Tally()
    private var phase = Phase.asking
    private var waiting: [ConnectionRecord.Flow: Waiting] = [:]
    private var unasked: ArraySlice<ConnectionRecord.Flow>
    /// In the order of time.
    private var asked: ArraySlice<(flow: ConnectionRecord.Flow, at: Instant)> = []
    private var ended: [ConnectionRecord] = []
    private var phaseEnd: Instant

    /// - Parameter ending: Nobody can go on with these.
    package init(_ records: [ConnectionRecord], ending: [ConnectionRecord] = [], at now: Instant) {
        for record in records {
            if let rest = record.rest { waiting[record.flow] = Waiting(record: record, rest: rest) }
        }
        unasked = waiting.keys.map(\.self)[...]
        phaseEnd = now + Limit.whole
        for record in records where record.rest == nil { end(record) }
        for record in ending { end(record) }
    }

    package var isOver: Bool { phase == .over }
    /// Whether the kernel is still not to answer by itself.
    package var isMuted: Bool { phase == .asking }

    /// When `turn` is due; nil when it is over.
    package var nextDeadline: Instant? {
        switch phase {
        case .asking:
            if waiting.isEmpty || !unasked.isEmpty { return .zero }
            return min(phaseEnd, asked.first.map { $0.at + Limit.patience } ?? .zero)
        case .ending: return phaseEnd
        case .over: return nil
        }
    }

    /// What the time brings. To be called again and again, with what arrived in between.
    package mutating func turn(at now: Instant) -> [Action] {
        switch phase {
        case .asking:
            if waiting.isEmpty || now >= phaseEnd { return beginEnding(at: now) }
            var actions = askAgain(at: now)
            for flow in unasked.prefix(Limit.burst) { actions += ask(flow, at: now) }
            unasked = unasked.dropFirst(Limit.burst)
            return waiting.isEmpty ? beginEnding(at: now) : actions
        case .ending(let asked):
            guard now >= phaseEnd else { return [] }
            if asked < Limit.endingPauses.count {
                phase = .ending(asked: asked + 1)
                phaseEnd = now + Limit.endingPauses[asked]
            } else {
                phase = .over
            }
            return ended.map(Action.ask)
        case .over: return []
        }
    }

    /// A segment that arrived at `local` from `peer`.
    package mutating func take(_ segment: TCPSegment, at local: IPAddress, from peer: IPAddress) -> Action? {
        let flow = ConnectionRecord.Flow(
            local: SocketAddress(ip: local, port: segment.destinationPort),
            peer: SocketAddress(ip: peer, port: segment.sourcePort))
        guard phase == .asking, let client = waiting[flow], client.questions > 0 else { return nil }
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

    /// A connection that was restored has been reset, as what its client sent again can not be taken. To be called when the
    /// kernel may answer by itself.
    package mutating func endRestored(_ record: ConnectionRecord, at now: Instant) {
        precondition(!isMuted, "the reset of a connection was muted")
        end(record)
        phase = .ending(asked: 1)
        phaseEnd = now + Limit.endingPauses[0]
    }

    private mutating func end(_ record: ConnectionRecord) {
        ended.append(record)
        tally.ended += 1
    }

    private mutating func beginEnding(at now: Instant) -> [Action] {
        for client in waiting.values { end(client.record) }
        waiting = [:]
        phase = ended.isEmpty ? .over : .ending(asked: 1)
        phaseEnd = now + Limit.endingPauses[0]
        return [.unmute] + ended.map(Action.ask)
    }
}
