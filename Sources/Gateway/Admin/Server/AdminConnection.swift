import Glibc
import Posix
import TLS

/// One client of the admin API: its socket, what was read and not yet understood, what is left to write.
package final class AdminConnection {
    package enum Step {
        case waits
        case asks(AdminRequest)
        case closes
    }

    private enum Phase {
        case reading
        case answering
        case writing
        /// The answer goes on without end.
        case streaming
        /// The answer is sent; what the client still sends is thrown away until it closes.
        case lingering
        case closed
    }

    /// What the client is to send next.
    private enum Awaited {
        case request
        case restOfHead
        case restOfBody

        var time: Nanoseconds {
            switch self {
            case .request: AdminLimits.idleTime
            case .restOfHead: AdminLimits.headTime
            case .restOfBody: AdminLimits.bodyTime
            }
        }
    }

    private let socket: AdminSocket
    private let address: String
    private var reader: AdminRequestReader
    private var phase = Phase.reading
    /// Begins as if inside a request: who connects and sends nothing is not kept as long as one that came back.
    private var awaited = Awaited.restOfHead
    private var output: [UInt8] = []
    private var written = 0
    private var closesAfterAnswer = false
    private var answersHead = false
    private var peerHasEnded = false
    /// When `expire` is due.
    package private(set) var deadline: Instant

    package init(
        _ socket: consuming FileDescriptor, author: String, security: AdminSecurity? = nil, at now: Instant
    ) throws(TLSFailure) {
        self.socket = try AdminSocket(socket, security, peer: author, at: now)
        address = author
        reader = AdminRequestReader(author: author)
        deadline = now + AdminLimits.headTime
    }

    /// Goes on until there is nothing to do without waiting.
    package func advance(_ fields: borrowing FieldTable, at now: Instant) -> Step {
        while true {
            switch phase {
            case .reading:
                if let step = read(fields, at: now) { return step }
            case .answering:
                return .waits
            case .writing:
                if !write(at: now) { return phase == .closed ? .closes : .waits }
            case .streaming:
                noticeEnd()
                flush(at: now)
                return phase == .closed ? .closes : .waits
            case .lingering:
                discard()
                return phase == .closed ? .closes : .waits
            case .closed:
                return .closes
            }
        }
    }

    /// Queues the answer to the request that `advance` asked for.
    package func answer(_ response: AdminResponse, at now: Instant) {
        guard phase == .answering else { return }
        queue(response, at: now)
    }

    /// Sends the head of an answer that `stream` then goes on with. HEAD gets no more than that.
    package func beginStream(_ response: AdminResponse, at now: Instant) {
        guard phase == .answering else { return }
        closesAfterAnswer = true
        if answersHead { return queue(response, at: now) }
        phase = .streaming
        deadline = now + AdminLimits.streamSilence
        stream(response.message(isPersistent: false, isForHead: false), at: now)
    }

    /// Whether `stream` has somebody to send to.
    package var isStreaming: Bool { phase == .streaming }

    /// Sends on, or closes if the client is too far behind.
    package func stream(_ bytes: [UInt8], at now: Instant) {
        guard phase == .streaming, !bytes.isEmpty else { return }
        guard output.count - written + bytes.count <= AdminLimits.streamBytes else {
            phase = .closed
            return
        }
        if written == output.count { deadline = now + AdminLimits.streamSilence }
        output += bytes
        flush(at: now)
    }

    /// Keeps what can not be sent now. The deadline is that of the client while something waits for it, else ours.
    private func flush(at now: Instant) {
        let waited = written < output.count
        _ = socket.flush()
        while written < output.count {
            let count = socket.send(output[written...])
            if count < 0 {
                if errno != EAGAIN && errno != EWOULDBLOCK { phase = .closed }
                break
            }
            written += count
            deadline = now + AdminLimits.writeTime
        }
        guard written == output.count else {
            output.removeFirst(written)
            written = 0
            return
        }
        output = []
        written = 0
        if waited { deadline = now + AdminLimits.streamSilence }
    }

    /// The deadline has passed.
    package func expire(at now: Instant) {
        switch phase {
        case .reading where reader.isInsideRequest:
            closesAfterAnswer = true
            queue(.problem(408, "the request was not complete in time"), at: now)
        case .answering:
            closesAfterAnswer = true
            queue(.problem(504, "the node did not answer in time; a change may still take effect"), at: now)
        case .streaming where output.isEmpty:
            deadline = now + AdminLimits.streamSilence
            stream(LiveFeed.heartbeat, at: now)
        case .reading, .writing, .streaming, .lingering, .closed:
            phase = .closed
        }
    }

    /// Nil when the phase has changed and there is more to do.
    private func read(_ fields: borrowing FieldTable, at now: Instant) -> Step? {
        switch reader.next(fields) {
        case .request(let request, let isPersistent):
            phase = .answering
            deadline = now + AdminLimits.answerTime
            closesAfterAnswer = !isPersistent || peerHasEnded
            answersHead = request.method == .head
            return .asks(request)
        case .invalid(let response):
            closesAfterAnswer = true
            answersHead = false
            queue(response, at: now)
            return nil
        case .wantsContinue:
            // Sent at the start of an exchange, these few bytes fit into an empty socket buffer; a client that does
            // not get them sends its body after a while all the same.
            _ = socket.send(Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)[...])
        case .needsMore:
            break
        }
        noteProgress(at: now)
        if peerHasEnded {
            phase = .closed
            return nil
        }
        return receive() ? nil : .waits
    }

    /// Gives each part of a request its own deadline, counted from the part's first byte.
    private func noteProgress(at now: Instant) {
        let next: Awaited = reader.isInsideBody ? .restOfBody : reader.isInsideRequest ? .restOfHead : awaited
        guard next != awaited else { return }
        awaited = next
        deadline = now + next.time
    }

    /// False when there is nothing to read now.
    private func receive() -> Bool {
        let isKnown = socket.member != nil
        let received = socket.receive { reader.append($0) }
        if !isKnown, let member = socket.member { reader.author = "\(member) at \(address)" }
        switch received {
        case .bytes: break
        case .waits: return false
        case .ended: peerHasEnded = true
        case .failed: phase = .closed
        }
        return true
    }

    private func queue(_ response: AdminResponse, at now: Instant) {
        output = response.message(isPersistent: !closesAfterAnswer, isForHead: answersHead)
        written = 0
        phase = .writing
        deadline = now + AdminLimits.writeTime
    }

    /// False when it has to wait, or the connection has failed.
    private func write(at now: Instant) -> Bool {
        while written < output.count {
            let count = socket.send(output[written...])
            if count < 0 {
                if errno != EAGAIN && errno != EWOULDBLOCK { phase = .closed }
                return false
            }
            written += count
        }
        guard socket.flush() else {
            if errno != EAGAIN && errno != EWOULDBLOCK { phase = .closed }
            return false
        }
        output = []
        written = 0
        if closesAfterAnswer {
            socket.finish()
            phase = .lingering
            deadline = now + AdminLimits.lingerTime
        } else {
            phase = .reading
            awaited = .request
            deadline = now + awaited.time
        }
        return true
    }

    /// A watcher has nothing more to say: whatever comes ends its stream.
    private func noticeEnd() {
        switch socket.receive({ _ in }) {
        case .waits: break
        case .bytes, .ended, .failed: phase = .closed
        }
    }

    private func discard() {
        while true {
            switch socket.receive({ _ in }) {
            case .bytes: continue
            case .waits: return
            case .ended, .failed:
                phase = .closed
                return
            }
        }
    }
}
