import Gateway
import Posix
import Synchronization
import Testing

/// The message vectors of `Tests/Corpus/http`, each through a real worker between raw sockets.
@Suite struct VectorFlowTests {
    @Test func requestsComeThroughOrAreRefused() throws {
        let backend = try TestBackend(answering: { request in
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\(request.startLine.hasPrefix("HEAD ") ? "" : "ok")"
        })
        let policy = ClientPolicy(limits: ClientLimits(bodyBytes: .max))
        let gateway = try TestGateway([backend.address], clients: policy)
        for vector in try VectorFile.load("requests.vectors") {
            let before = backend.requests.count
            let client = try gateway.connect()
            try client.send(vector.message)
            client.finish()
            let isHead = vector.message.starts(with: Array("HEAD ".utf8))
            let response = try? client.message(hasBody: !isHead)
            // A vector can hold more than one request.
            _ = try? client.rest()
            let isCut = response?.text.contains("before its body was complete") ?? false
            let request = backend.requests.dropFirst(before).first
            for expectation in vector.expectations {
                switch expectation {
                case .refuse(let status, _), .refuseBody(let status, _):
                    #expect(response?.status == Int(status), "\(vector.testDescription)")
                    #expect(response?["Connection"] == "close", "\(vector.testDescription)")
                case .incomplete:
                    #expect(response == nil || isCut, "\(vector.testDescription)")
                case .accept:
                    #expect(response?.status == 200 || isCut, "\(vector.testDescription)")
                case .data(let data) where !isCut:
                    #expect(request?.body == data, "\(vector.testDescription)")
                case .forwards(let line) where !isCut:
                    let own = line.replacing("192.0.2.7", with: "127.0.0.1")
                        .replacing("127.0.0.1:9000", with: backend.address.description)
                    let lines = request.map { [$0.startLine] + $0.fields }
                    #expect(lines?.contains(own) == true, "\(vector.testDescription)")
                case .omits(let name) where !isCut:
                    #expect(request != nil && request?[name] == nil, "\(vector.testDescription)")
                case .data, .forwards, .omits, .rest: break
                }
            }
        }
        #expect(gateway.wait { gateway.activeRequests(backend.address) == 0 })
    }

    @Test func responsesComeThroughOrAreRefused() throws {
        let message = Mutex<[UInt8]>([])
        let backend = try TestBackend { wire, _ in
            _ = try wire.message(hasBody: false)
            try wire.send(message.withLock { $0 })
        }
        let gateway = try TestGateway([backend.address])
        for vector in try VectorFile.load("responses.vectors") {
            message.withLock { $0 = vector.message }
            let client = try gateway.connect()
            let upgrade = "Connection: upgrade\r\nUpgrade: websocket\r\n"
            let isSwitch = vector.message.starts(with: Array("HTTP/1.1 101".utf8))
            try client.send("\(vector.method) / HTTP/1.1\r\nHost: test\r\n\(isSwitch ? upgrade : "")\r\n")
            let response = try? client.message(hasBody: vector.method != "HEAD")
            for expectation in vector.expectations {
                switch expectation {
                case .refuse(let status, _):
                    #expect(response?.status == Int(status), "\(vector.testDescription)")
                case .refuseBody:
                    #expect(response == nil || response?.status == 502, "\(vector.testDescription)")
                case .incomplete:
                    #expect(response?.status == 502, "\(vector.testDescription)")
                case .data(let data):
                    #expect(response == nil || response?.body == data, "\(vector.testDescription)")
                case .forwards(let line) where !line.hasPrefix("Date: "):
                    let lines = response.map { [$0.startLine] + $0.fields } ?? [line]
                    #expect(lines.contains(line), "\(vector.testDescription)")
                case .omits(let name):
                    #expect(response?[name] == nil, "\(vector.testDescription)")
                case .accept, .rest, .forwards: break
                }
            }
        }
        #expect(gateway.wait { gateway.activeRequests(backend.address) == 0 })
    }
}

extension String {
    fileprivate func replacing(_ old: String, with new: String) -> String {
        var result = ""
        var rest = self[...]
        while let first = rest.first {
            if rest.hasPrefix(old) {
                result += new
                rest = rest.dropFirst(old.count)
            } else {
                result.append(first)
                rest = rest.dropFirst()
            }
        }
        return result
    }
}
