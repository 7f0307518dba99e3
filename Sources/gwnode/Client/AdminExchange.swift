import CLinux
import Gateway
import Glibc
import Posix
import TLS

/// A request to a node's admin API.
package struct AdminCall: Hashable, Sendable {
    package var method: HTTPMethod
    /// Path and query, percent-encoded.
    package var target: String
    package var body: [UInt8]
    package var ifMatch: String?
    package var ifNoneMatch: String?
    package var token: AdminToken?
    /// For the whole exchange.
    package var timeout: Nanoseconds

    package init(
        method: HTTPMethod, target: String, body: [UInt8] = [], ifMatch: String? = nil, timeout: Nanoseconds
    ) {
        self.method = method
        self.target = target
        self.body = body
        self.ifMatch = ifMatch
        self.timeout = timeout
    }

    static func get(
        _ path: String, _ query: [String] = [], _ consistency: AdminServices.Consistency = .linearizable,
        timeout: Nanoseconds = AdminCall.readTimeout
    ) -> AdminCall {
        let query = consistency == .stale ? query + ["stale"] : query
        let target = query.isEmpty ? path : "\(path)?\(query.joined(separator: "&"))"
        return AdminCall(method: .get, target: target, timeout: timeout)
    }

    /// A node gives up on a read of its own accord before this timeout, and says why.
    static let readTimeout = Nanoseconds.seconds(5)
    /// Of several nodes one may hang; the status is to come from another one then.
    static let statusTimeout = Nanoseconds.seconds(2)
    /// A node gives up on agreement of its own accord before this timeout.
    private static let agreementTimeout = Nanoseconds.seconds(40)

    static func put(_ target: String, _ body: [UInt8], ifMatch: String? = nil) -> AdminCall {
        AdminCall(method: .put, target: target, body: body, ifMatch: ifMatch, timeout: agreementTimeout)
    }

    static func post(_ target: String, _ body: [UInt8], ifMatch: String? = nil) -> AdminCall {
        AdminCall(method: .post, target: target, body: body, ifMatch: ifMatch, timeout: agreementTimeout)
    }

    static func delete(_ target: String) -> AdminCall {
        AdminCall(method: .delete, target: target, timeout: agreementTimeout)
    }
}

/// What a node answered.
package struct AdminAnswer: Hashable, Sendable {
    package var status: UInt16
    package var entityTag: String?
    package var body: [UInt8]

    package init(status: UInt16, entityTag: String?, body: [UInt8]) {
        self.status = status
        self.entityTag = entityTag
        self.body = body
    }
}

/// Why there is no answer.
package enum AdminExchangeError: Error, Hashable, Sendable {
    /// The request never left this machine, so another node can be asked.
    case notSent(String)
    /// The node may have carried out the request.
    case noAnswer(String)

    package var reason: String {
        switch self {
        case .notSent(let reason), .noAnswer(let reason): reason
        }
    }
}

/// One request on a connection of its own, with a deadline and a bound on the answer.
package struct AdminExchange: ~Copyable {
    package static let connectTimeout = Nanoseconds.seconds(1)
    package static let answerLimit = 32 << 20

    private let socket: FileDescriptor
    private let deadline: Instant
    /// Nil: what passes is plain.
    private let session: TLSSession?

    /// Sends `call` to `address` and waits for the answer.
    package static func run(
        _ call: AdminCall, at endpoint: AdminPlace, as identity: AdminIdentity? = nil
    ) throws(AdminExchangeError) -> AdminAnswer {
        let deadline = Instant.now() + call.timeout
        let exchange: AdminExchange
        let host: String
        switch endpoint {
        case .tcp(let address):
            // The numeric address is one that a node always takes for its own.
            let numeric = try resolve(address)
            host = numeric.description
            exchange = try AdminExchange(deadline: deadline, identity) { () throws(SystemError) in
                try Socket.startConnecting(to: numeric)
            }
            if let identity { try exchange.shakeHands(identity) }
        case .unix(let path):
            host = "localhost"
            exchange = try AdminExchange(deadline: deadline, nil) { () throws(SystemError) in
                try UnixSocket.startConnecting(to: path)
            }
        }
        try exchange.send(call, host: host)
        return try exchange.receive(call.method)
    }

    private init(
        deadline: Instant, _ identity: AdminIdentity?, connecting: () throws(SystemError) -> FileDescriptor
    ) throws(AdminExchangeError) {
        let session: TLSSession?
        do throws(TLSFailure) {
            session = try identity.map { identity throws(TLSFailure) in
                try TLSSession(identity.context, .client)
            }
        } catch {
            throw .notSent("\(error)")
        }
        let socket: FileDescriptor
        do throws(SystemError) { socket = try connecting() } catch {
            throw .notSent(SystemError.message(for: error.code))
        }
        guard Self.wait(socket.raw, POLLOUT, until: min(deadline, Instant.now() + Self.connectTimeout)) else {
            throw .notSent("no connection in time")
        }
        let code = Socket.pendingError(socket.raw)
        if code != 0 { throw .notSent(SystemError.message(for: code)) }
        self.socket = socket
        self.deadline = deadline
        self.session = session
    }

    /// Finds out that a node of the cluster is at the other end.
    private borrowing func shakeHands(_ identity: AdminIdentity) throws(AdminExchangeError) {
        guard let session else { return }
        do throws(TLSFailure) { try session.begin() } catch { throw .notSent("\(error)") }
        try sendOutput(of: session)
        while session.state == .handshake {
            var early: [UInt8] = []
            do throws(AdminExchangeError) { try receiveMore(&early) } catch { throw .notSent(error.reason) }
        }
        guard case .node = session.peer(in: identity.cluster) else {
            throw .notSent("its certificate is for no node of cluster '\(identity.cluster)'")
        }
    }

    private borrowing func sendOutput(of session: TLSSession) throws(AdminExchangeError) {
        var output: [UInt8] = []
        session.takeOutput { output += $0 }
        try write(output)
    }

    private borrowing func send(_ call: AdminCall, host: String) throws(AdminExchangeError) {
        var head = "\("\(call.method)".uppercased()) \(call.target) HTTP/1.1\r\nHost: \(host)\r\nConnection: close\r\n"
        if let token = call.token { head += "Authorization: Bearer \(token.text)\r\n" }
        if let ifMatch = call.ifMatch { head += "If-Match: \(ifMatch)\r\n" }
        if let ifNoneMatch = call.ifNoneMatch { head += "If-None-Match: \(ifNoneMatch)\r\n" }
        if call.method == .put || call.method == .post { head += "Content-Length: \(call.body.count)\r\n" }
        let request = Array((head + "\r\n").utf8) + call.body
        guard let session else { return try write(request) }
        do throws(TLSFailure) { try session.send(request) } catch { throw .notSent("\(error)") }
        try sendOutput(of: session)
    }

    private borrowing func write(_ bytes: [UInt8]) throws(AdminExchangeError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            guard Self.wait(socket.raw, POLLOUT, until: deadline) else { throw .noAnswer("it takes no request") }
            let count = rest.withUnsafeBytes { bytes in
                retryingOnInterrupt { Glibc.send(socket.raw, bytes.baseAddress!, bytes.count, Int32(MSG_NOSIGNAL)) }
            }
            // A node that refuses a request early closes before it has read all of it; its answer tells why.
            if count < 0 && (errno == EPIPE || errno == ECONNRESET) { return }
            if count < 0 && errno != EAGAIN { throw .noAnswer(SystemError.message(for: errno)) }
            rest = rest.dropFirst(max(0, count))
        }
    }

    private borrowing func receive(_ method: HTTPMethod) throws(AdminExchangeError) -> AdminAnswer {
        var input: [UInt8] = []
        let fields = FieldTable()
        var progress = ParseProgress()
        while true {
            switch input.withUnsafeBytes({
                ResponseParser.parse($0, to: method, fields: fields, progress: &progress)
            }) {
            case .incomplete:
                try receiveMore(&input)
            case .invalid(let fault):
                throw .noAnswer("it is no admin API of gwnode: \(fault.reason)")
            case .complete(let head) where head.traits.isInterim:
                input.removeFirst(head.byteCount)
                progress = ParseProgress()
            case .complete(let head):
                guard case .length(let length) = head.traits.framing, length <= UInt64(Self.answerLimit) else {
                    throw .noAnswer("it is no admin API of gwnode: the answer has no acceptable length")
                }
                let end = head.byteCount + Int(length)
                while input.count < end { try receiveMore(&input) }
                return AdminAnswer(
                    status: head.traits.status, entityTag: Self.entityTag(head, fields, input),
                    body: Array(input[head.byteCount..<end]))
            }
        }
    }

    private borrowing func receiveMore(_ input: inout [UInt8]) throws(AdminExchangeError) {
        guard Self.wait(socket.raw, POLLIN, until: deadline) else { throw .noAnswer("no answer in time") }
        var received: [UInt8] = []
        let (count, code) = withUnsafeTemporaryAllocation(byteCount: 64 << 10, alignment: 1) { buffer in
            let count = retryingOnInterrupt { recv(socket.raw, buffer.baseAddress!, buffer.count, 0) }
            if count > 0 { received.append(contentsOf: buffer[..<count]) }
            return (count, errno)
        }
        if count > 0 { try take(received, into: &input) }
        if count == 0 { throw .noAnswer("it closed the connection in the middle of an answer") }
        if count < 0 && code != EAGAIN { throw .noAnswer(SystemError.message(for: code)) }
    }

    private borrowing func take(_ bytes: [UInt8], into input: inout [UInt8]) throws(AdminExchangeError) {
        guard let session else {
            input += bytes
            return
        }
        var plain: [UInt8] = []
        let failure = bytes.withUnsafeBytes { bytes -> TLSFailure? in
            do throws(TLSFailure) { try session.receive(bytes) { plain += $0 } } catch { return error }
            return nil
        }
        input += plain
        // A node that lets nobody in says so after the handshake (RFC 8446, section 4.4.2), and has read no request.
        if let failure { throw input.isEmpty ? .notSent("\(failure)") : .noAnswer("\(failure)") }
        try sendOutput(of: session)
    }

    private static func entityTag(
        _ head: ResponseHead, _ fields: borrowing FieldTable, _ input: [UInt8]
    ) -> String? {
        func text(_ slice: ByteSlice) -> String { String(decoding: input[slice.range], as: UTF8.self) }
        for index in 0..<head.fieldCount where text(fields[index].name).lowercased() == "etag" {
            return text(fields[index].value)
        }
        return nil
    }

    private static func wait(_ descriptor: Int32, _ events: Int32, until deadline: Instant) -> Bool {
        while true {
            let left = deadline - Instant.now()
            var poll = pollfd(fd: descriptor, events: Int16(events), revents: 0)
            let ready = Glibc.poll(&poll, 1, Int32(clamping: (left.count + 999_999) / 1_000_000))
            if ready > 0 { return true }
            if ready == 0 || errno != EINTR { return false }
        }
    }

    private static func resolve(_ address: HostPort) throws(AdminExchangeError) -> SocketAddress {
        if let numeric = address.numericAddress { return numeric }
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(address.host, nil, &hints, &found)
        guard code == 0, let first = found else {
            throw .notSent("cannot resolve \(address.host): \(String(cString: gai_strerror(code)))")
        }
        defer { freeaddrinfo(first) }
        var storage = sockaddr_storage()
        memcpy(&storage, first.pointee.ai_addr, Int(first.pointee.ai_addrlen))
        guard var numeric = SocketAddress(storage) else {
            throw .notSent("\(address.host) has no IP address")
        }
        numeric.port = address.port
        return numeric
    }
}
