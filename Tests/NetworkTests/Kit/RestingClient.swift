import Posix

/// A client that asks now and then, on one connection.
struct RestingClient {
    enum Outcome {
        case answered
        /// The connection is over, and the client knows it.
        case ended
        case wrong
        /// Nobody said anything.
        case silent
    }

    private let connection: BlockingConnection
    private var number: UInt32
    private var request = NumberedRequest(.small, 0)
    private(set) var waited = Nanoseconds.zero

    init?(to address: SocketAddress, number: UInt32) {
        guard let connection = BlockingConnection(to: address) else { return nil }
        self.connection = connection
        self.number = number
    }

    mutating func ask(_ kind: NumberedRequest.Kind) -> Outcome {
        send(kind)
        return receive()
    }

    mutating func send(_ kind: NumberedRequest.Kind) {
        number += 1_000_000
        request = NumberedRequest(kind, number)
        // What can not be sent is found out by whoever waits for the answer.
        _ = connection.send(request.bytes)
    }

    mutating func receive() -> Outcome {
        let began = Instant.now()
        defer { waited = .now() - began }
        if let answer = connection.receive() {
            return NumberedRequest.isSame(answer.body, request.answer) ? .answered : .wrong
        }
        return connection.hasTimedOut ? .silent : .ended
    }
}
