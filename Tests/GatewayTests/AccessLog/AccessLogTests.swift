import Gateway
import Glibc
import Posix
import Testing

/// The access log of a real worker.
@Suite struct AccessLogTests {
    @Test func combinedLineSaysWhoAskedForWhatAndWhatCameOfIt() throws {
        let log = try TestLog(.combined)
        let backend = try TestBackend(named: "one")
        let gateway = try TestGateway([backend.address], options: log.options)
        let fields = "User-Agent: test/1.0\r\nReferer: http://a.example/b?c\r\n"
        _ = try gateway.connect().get("/a/../b?c=d", fields: fields)
        let parts = try #require(log.lines(1, gateway).first).split(separator: " ")
        #expect(parts[0] == "127.0.0.1" && parts[1] == "-" && parts[2] == "-")
        #expect(parts[3].first == "[" && parts[3].count == 21 && parts[4] == "+0000]")
        let rest = parts[5...].dropLast().joined(separator: " ")
        #expect(
            rest == "\"GET /b?c=d HTTP/1.1\" 200 3 \"http://a.example/b?c\" \"test/1.0\" \(backend.address)")
        let seconds = parts.last!.split(separator: ".")
        #expect(seconds.count == 2 && Int(seconds[0]) != nil && seconds[1].count == 6 && Int(seconds[1]) != nil)
    }

    @Test func commonLineHasNoFields() throws {
        let log = try TestLog(.common)
        let backend = try TestBackend(named: "one")
        let gateway = try TestGateway([backend.address], options: log.options)
        _ = try gateway.connect().get(fields: "User-Agent: x\r\nReferer: y\r\n")
        let line = try #require(log.lines(1, gateway).first)
        #expect(line.contains("] \"GET / HTTP/1.1\" 200 3 \(backend.address) "))
        #expect(!line.contains("x") && !line.contains("y"))
    }

    @Test func jsonLineIsAnObject() throws {
        let log = try TestLog(.json)
        let backend = try TestBackend(named: "one")
        let gateway = try TestGateway([backend.address], options: log.options)
        try gateway.connect().send("GET /x HTTP/1.0\r\n\r\n")
        _ = try gateway.connect().get("/\"%5C", fields: "User-Agent: a\"b\\c\u{e9}\t\r\n")
        let client = try gateway.connect()
        _ = try client.get("/y", fields: "Referer: a\"b\\c\u{e9}\td\r\nUser-Agent: e\r\n")
        let lines = try log.lines(3, gateway)
        let texts = try lines.map { try JSON5Parser.parse(Array($0.utf8)) }
        #expect(texts.count == 3)
        let old = "\"request\":\"GET /x HTTP/1.0\",\"host\":\"\",\"status\":200,\"bytes\":3"
        #expect(lines.contains { $0.contains(old) })
        #expect(lines.contains { $0.contains("\"request\":\"GET /\\u0022") && $0.contains("\"status\":400") })
        let last = try #require(lines.first { $0.contains("GET /y ") })
        #expect(
            last.contains(
                "\"referer\":\"a\\u0022b\\u005cc\\u00c3\\u00a9\\u0009d\",\"userAgent\":\"e\",\"requestId\":\""))
        #expect(last.contains("\"host\":\"test\",\"status\":200,\"bytes\":3,\"complete\":true,\"seconds\":0."))
        #expect(last.contains("\"backend\":\"\(backend.address)\""))
    }

    /// What a client sends must neither end a line nor a quoted text, nor reach a terminal.
    @Test(arguments: [AccessLogFormat.common, .combined, .json])
    func hostileBytesAreEscaped(format: AccessLogFormat) throws {
        let log = try TestLog(format)
        let backend = try TestBackend(named: "one")
        let gateway = try TestGateway([backend.address], options: log.options)
        var hostile = Array("GET /\" 200 9 \"\\".utf8)
        hostile += [0x1b, 0x5b, 0x32, 0x4a, 0x00, 0x7f, 0x80, 0xff]
        hostile += Array("\r\n127.0.0.1 - - forged\r\n\r\n".utf8)
        let refused = try gateway.connect()
        try refused.send(hostile)
        #expect(try refused.message().status == 400)
        var agent = Array("GET /ok HTTP/1.1\r\nHost: a\r\nReferer: \"\\".utf8)
        agent += [0x80, 0xff, 0x09, 0x41]
        agent += Array("\r\nUser-Agent: \" \"\r\n\r\n".utf8)
        let accepted = try gateway.connect()
        try accepted.send(agent)
        #expect(try accepted.message().status == 200)
        _ = try log.lines(2, gateway)
        let bytes = log.bytes
        #expect(bytes.allSatisfy { 0x20...0x7e ~= $0 || $0 == 0x0a })
        #expect(bytes.count { $0 == 0x0a } == 2)
        let quotes = bytes.count { $0 == UInt8(ascii: "\"") }
        switch format {
        case .common: #expect(quotes == 4)
        case .combined: #expect(quotes == 12)
        case .json: for line in try log.lines(2, gateway) { _ = try JSON5Parser.parse(Array(line.utf8)) }
        }
    }

    @Test func longTextsAreCut() throws {
        let log = try TestLog(.combined)
        let backend = try TestBackend(named: "one")
        let gateway = try TestGateway([backend.address], options: log.options)
        let long = String(repeating: "a", count: 6000)
        let wide = String(repeating: "\"", count: 6000)
        _ = try gateway.connect().get("/\(long)", fields: "Referer: \(wide)\r\nUser-Agent: \(long)\r\n")
        _ = try gateway.connect().get("/x/../\(long)?\(long.prefix(1500))")
        let method = String(repeating: "M", count: 6000)
        let client = try gateway.connect()
        try client.send("\(method) / HTTP/1.1\r\nHost: a\r\nReferer: \(wide)\r\nUser-Agent: \(wide)\r\n\r\n")
        #expect(try client.message().status == 200)
        for line in try log.lines(3, gateway) {
            #expect(line.utf8.count < 2200 && line.contains("...") && line.contains("HTTP/1.1\" 200 "))
        }
    }

    @Test func whatHasNoAnswerOfABackendIsLoggedToo() throws {
        let log = try TestLog(.json)
        let mute = try TestBackend { wire, backend in
            backend.record(try wire.message())
            _ = try wire.rest()
        }
        let timeouts = ClientTimeouts(requestHead: .milliseconds(100))
        let configuration = TestGateway.configuration(
            [mute.address], path: "/mute", clients: ClientPolicy(timeouts: timeouts))
        let gateway = try TestGateway(configuration, options: log.options)
        #expect(try gateway.connect().get("/nowhere").status == 404)
        let slow = try gateway.connect()
        try slow.send("GET / HT")
        #expect(try slow.message().status == 408)
        do {
            let lost = try gateway.connect()
            try lost.send("GET /mute HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(gateway.wait { mute.requests.count == 1 })
            lost.resetOnClose()
        }
        let lines = try log.lines(3, gateway)
        #expect(lines.contains { $0.contains("GET /nowhere ") && $0.contains("\"status\":404") })
        #expect(lines.contains { $0.contains("\"request\":\"\",\"host\":\"\",\"status\":408") })
        let lost = try #require(lines.first { $0.contains("GET /mute ") })
        #expect(lost.contains("\"status\":499,\"bytes\":0,\"complete\":false"))
        #expect(lost.contains("\"backend\":\"\(mute.address)\""))
        // An idle connection that closes asked for nothing.
        #expect(lines.count == 3)
    }

    @Test func bytesAreThoseOfTheBody() throws {
        let log = try TestLog(.json)
        let body = String(repeating: "x", count: 3_000_000)
        let backend = try TestBackend(answering: { request in
            if request.startLine.contains("/chunked") {
                return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
            }
            if request.startLine.contains("/cut") {
                return "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 9\r\n\r\nhello\r\n\r\n0123456789"
            }
            let isHead = request.startLine.hasPrefix("HEAD ")
            return "HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(isHead ? "" : body)"
        })
        let gateway = try TestGateway([backend.address], options: log.options)
        let client = try gateway.connect()
        #expect(try client.get("/long").body.count == body.utf8.count)
        #expect(try client.get("/chunked").text == "hello")
        try client.send("HEAD /head HTTP/1.1\r\nHost: a\r\n\r\n")
        _ = try client.message(hasBody: false)
        let lines = try log.lines(3, gateway)
        #expect(lines.contains { $0.contains("/long") && $0.contains("\"bytes\":3000000,\"complete\":true") })
        #expect(lines.contains { $0.contains("/chunked") && $0.contains("\"bytes\":5,\"complete\":true") })
        #expect(lines.contains { $0.contains("/head") && $0.contains("\"bytes\":0,\"complete\":true") })
    }

    @Test func responseCutShortIsNotComplete() throws {
        let log = try TestLog(.json)
        let backend = try TestBackend { wire, _ in
            _ = try wire.message()
            try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n")
            try wire.send([UInt8](repeating: 120, count: 1_000_000))
        }
        let gateway = try TestGateway([backend.address], options: log.options)
        let client = try gateway.connect()
        try client.send(Wire.get)
        _ = try? client.rest()
        let line = try #require(log.lines(1, gateway).first)
        #expect(line.contains("\"status\":200") && line.contains("\"bytes\":1000000,\"complete\":false"))
    }

    @Test func clientBehindATrustedProxyIsNamed() throws {
        let log = try TestLog(.common)
        let backend = try TestBackend(named: "one")
        let policy = ClientPolicy(trustedProxies: [IPNetwork(IPAddress("127.0.0.1")!, prefixLength: 32)!])
        let gateway = try TestGateway([backend.address], clients: policy, options: log.options)
        let client = try gateway.connect()
        _ = try client.get(fields: "X-Forwarded-For: 192.0.2.7\r\n")
        _ = try client.get()
        let lines = try log.lines(2, gateway)
        #expect(lines[0].hasPrefix("192.0.2.7 - - ["))
        #expect(lines[1].hasPrefix("127.0.0.1 - - ["))
    }

    @Test func renamedFileIsOpenedAgain() throws {
        let log = try TestLog(.common)
        let backend = try TestBackend(named: "one")
        let gateway = try TestGateway([backend.address], options: log.options)
        let client = try gateway.connect()
        _ = try client.get("/before")
        _ = try log.lines(1, gateway)
        #expect(rename(log.path, log.path + ".1") == 0)
        gateway.pool.reopenAccessLog()
        #expect(gateway.wait { access(log.path, F_OK) == 0 })
        _ = try client.get("/after")
        let lines = try log.lines(1, gateway)
        #expect(lines.count == 1 && lines[0].contains("GET /after "))
    }

    @Test func everyLineIsThereAfterTheEnd() throws {
        let log = try TestLog(.combined)
        let backend = try TestBackend(named: "one")
        var options = log.options
        options.workers = 2
        let gateway = try TestGateway([backend.address], options: options)
        for client in 0..<8 {
            let wire = try gateway.connect()
            for number in 0..<50 { #expect(try wire.get("/\(client)/\(number)").status == 200) }
        }
        gateway.pool.stop(drainingUntil: .now() + .seconds(20))
        let lines = String(decoding: log.bytes, as: UTF8.self).split(separator: "\n")
        #expect(lines.count == 400)
        for client in 0..<8 {
            for number in 0..<50 { #expect(lines.contains { $0.contains("GET /\(client)/\(number) ") }) }
        }
        #expect(gateway.pool.statistics.accessLogDropped == 0)
    }

    /// Nobody reads the log: clients are served all the same.
    @Test func linesThatFindNoRoomAreDroppedAndCounted() throws {
        let log = try TestLog(.combined, queueBytes: 4096, isPipe: true)
        let backend = try TestBackend(named: "one")
        let gateway = try TestGateway([backend.address], options: log.options)
        let client = try gateway.connect()
        // More than a pipe of 64 KB and the queue hold.
        let path = "/" + String(repeating: "a", count: 500)
        for _ in 0..<400 { #expect(try client.get(path).status == 200) }
        #expect(gateway.pool.statistics.accessLogDropped > 0)
        gateway.pool.stop(drainingUntil: .now() + .seconds(20))
        withExtendedLifetime(log) {}
    }

    @Test func ofSuccessfulRequestsAShareIsLoggedAndErrorsAlwaysAre() throws {
        let none = try TestLog(AccessLogContent(format: .json, successPercent: 0))
        let some = try TestLog(AccessLogContent(format: .common, successPercent: 25))
        let backend = try TestBackend(answering: { request in
            let status = request.startLine.contains("/bad") ? "500 Bad" : "200 OK"
            return "HTTP/1.1 \(status)\r\nContent-Length: 0\r\n\r\n"
        })
        for log in [none, some] {
            let gateway = try TestGateway([backend.address], options: log.options)
            let client = try gateway.connect()
            for _ in 0..<1000 { _ = try client.get("/good") }
            _ = try client.get("/bad")
            let refused = try gateway.connect()
            try refused.send("GET / HTTP/1.1\r\n\r\n")
            #expect(try refused.message().status == 400)
            // The log is written when the workers have ended.
            gateway.pool.stop(drainingUntil: .now() + .seconds(20))
            let lines = String(decoding: log.bytes, as: UTF8.self).split(separator: "\n")
            let status = log === none ? "\"status\":400," : "\" 400 "
            #expect(lines.count { $0.contains("/bad ") } == 1 && lines.count { $0.contains(status) } == 1)
            // Of 1000 draws at a quarter, fewer than 150 or more than 350 happen once in 10^12 runs.
            let good = lines.count { $0.contains("/good") }
            #expect(log === none ? good == 0 : 150...350 ~= good)
        }
    }

    @Test func fileThatCanNotBeOpenedIsAnError() throws {
        let options = ProxyOptions(
            limits: TestGateway.limits,
            accessLog: AccessLogOptions(
                destination: .file(path: "/nowhere/access.log"), content: AccessLogContent(format: .json)))
        #expect(throws: SystemError.self) { try TestGateway([], options: options) }
    }
}

/// A file, or a pipe that nobody reads, with a directory of its own.
final class TestLog {
    let path: String
    let options: ProxyOptions
    private let directory: String
    private let reader: Int32

    convenience init(_ format: AccessLogFormat, queueBytes: Int = 1 << 20, isPipe: Bool = false) throws {
        try self.init(AccessLogContent(format: format), queueBytes: queueBytes, isPipe: isPipe)
    }

    init(_ content: AccessLogContent, queueBytes: Int = 1 << 20, isPipe: Bool = false) throws {
        var template = Array("/tmp/gwnode-log-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw SystemError("mkdtemp") }
        directory = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
        path = directory + "/access.log"
        if isPipe { mkfifo(path, 0o600) }
        reader = isPipe ? open(path, O_RDONLY | O_NONBLOCK) : -1
        options = ProxyOptions(
            limits: TestGateway.limits,
            accessLog: AccessLogOptions(destination: .file(path: path), content: content, queueBytes: queueBytes))
    }

    deinit {
        if reader >= 0 { close(reader) }
        for name in [path, path + ".1"] { unlink(name) }
        rmdir(directory)
    }

    var bytes: [UInt8] { (try? readFile(path, limit: 64 << 20)) ?? [] }

    /// Waits until the file has that many lines.
    func lines(_ count: Int, _ gateway: TestGateway) throws -> [String] {
        #expect(gateway.wait { bytes.count { $0 == 0x0a } >= count })
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
    }
}
