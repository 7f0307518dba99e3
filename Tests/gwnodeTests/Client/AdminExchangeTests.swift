import CLinux
import Gateway
import Glibc
import Posix
import Testing
import gwnode

/// A server that gives one connection one prepared answer.
private final class OneAnswer {
    let address: HostPort
    private let thread: Thread

    init(_ answer: String) throws {
        let listener = try Socket.listen(on: SocketAddress("127.0.0.1:0")!)
        address = HostPort(Socket.localAddress(of: listener.raw)!)
        let raw = listener.take()
        thread = try Thread(name: "one-answer") {
            let listener = FileDescriptor(owning: raw)
            var poll = pollfd(fd: listener.raw, events: Int16(POLLIN), revents: 0)
            var peer = SocketAddress(ip: IPAddress(v4: 0), port: 0)
            guard Glibc.poll(&poll, 1, 10_000) == 1,
                let connection = try? Socket.accept(from: listener.raw, peer: &peer)
            else { return }
            var request = pollfd(fd: connection.raw, events: Int16(POLLIN), revents: 0)
            guard Glibc.poll(&request, 1, 10_000) == 1 else { return }
            var buffer = [UInt8](repeating: 0, count: 65536)
            _ = recv(connection.raw, &buffer, buffer.count, 0)
            let bytes = Array(answer.utf8)
            _ = Glibc.send(connection.raw, bytes, bytes.count, Int32(MSG_NOSIGNAL))
        }
    }

    deinit { thread.join() }
}

private let call = AdminCall(method: .get, target: "/", timeout: .seconds(10))

@Suite struct AdminExchangeTests {
    @Test func answerIsRead() throws {
        let server = try OneAnswer(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 412 No\r\nETag: \"7\"\r\nContent-Length: 3\r\n\r\nabc")
        let answer = try AdminExchange.run(call, at: .tcp(server.address))
        #expect(answer == AdminAnswer(status: 412, entityTag: "\"7\"", body: Array("abc".utf8)))
    }

    @Test func namesAreResolved() throws {
        let server = try OneAnswer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        let named = HostPort(host: "localhost", port: server.address.port)
        #expect(try AdminExchange.run(call, at: .tcp(named)).status == 200)
    }

    /// Each ends in an error that says why, and soon.
    @Test(arguments: [
        ("", "it closed the connection in the middle of an answer"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", "it closed the connection in the middle of an answer"),
        ("SSH-2.0-OpenSSH\r\n\r\n", "it is no admin API of gwnode: the status line is not 'HTTP/1.x code reason'"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
            "it is no admin API of gwnode: the answer has no acceptable length"
        ),
        ("HTTP/1.1 200 OK\r\n\r\nab", "it is no admin API of gwnode: the answer has no acceptable length"),
    ])
    func badAnswers(_ answer: String, _ reason: String) throws {
        let server = try OneAnswer(answer)
        #expect(throws: AdminExchangeError.noAnswer(reason)) { try AdminExchange.run(call, at: .tcp(server.address)) }
    }

    /// The port is bound, so nobody else gets it, but nobody listens.
    @Test func refusedConnectionWasNotSent() throws {
        let bound = FileDescriptor(owning: socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0))
        try #require(SocketAddress("127.0.0.1:0")!.withSockaddr { bind(bound.raw, $0, $1) } == 0)
        let address = HostPort(Socket.localAddress(of: bound.raw)!)
        #expect(throws: AdminExchangeError.notSent("Connection refused")) {
            try AdminExchange.run(call, at: .tcp(address))
        }
    }

    @Test func silenceEndsAtTheDeadline() throws {
        let listener = try Socket.listen(on: SocketAddress("127.0.0.1:0")!)
        let address = HostPort(Socket.localAddress(of: listener.raw)!)
        let short = AdminCall(method: .get, target: "/", timeout: .milliseconds(20))
        #expect(throws: AdminExchangeError.noAnswer("no answer in time")) {
            try AdminExchange.run(short, at: .tcp(address))
        }
    }
}
