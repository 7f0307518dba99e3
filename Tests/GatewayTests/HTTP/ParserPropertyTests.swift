import Gateway
import Testing

/// What holds for every input: the way it was cut does not matter, nothing traps, and what is forwarded is taken
/// again as it was meant.
@Suite struct ParserPropertyTests {
    private static let seeds: [UInt64] = (1...6).map { $0 * 7919 }

    @Test(arguments: seeds)
    func cuttingARequestChangesNothing(seed: UInt64) throws {
        var random = SplitMix(seed: seed)
        for vector in try VectorFile.load("requests.vectors") {
            let whole = Message(vector.message)
            let expected = whole.parseRequest()
            let pieces = Message(vector.message)
            let found = pieces.parseInPieces(&random) { buffer, progress in
                RequestParser.parse(buffer, fields: pieces.fields, progress: &progress)
            }
            #expect("\(found)" == "\(expected)", "seed \(seed): \(vector.name)")
        }
    }

    @Test(arguments: seeds)
    func cuttingAResponseChangesNothing(seed: UInt64) throws {
        var random = SplitMix(seed: seed)
        for vector in try VectorFile.load("responses.vectors") {
            let method = try #require(HTTPMethod(named: vector.method))
            let expected = Message(vector.message).parseResponse(to: method)
            let pieces = Message(vector.message)
            let found = pieces.parseInPieces(&random) { buffer, progress in
                ResponseParser.parse(
                    UnsafeRawBufferPointer(buffer), to: method, fields: pieces.fields, progress: &progress)
            }
            #expect("\(found)" == "\(expected)", "seed \(seed): \(vector.name)")
        }
    }

    @Test(arguments: seeds)
    func cuttingAChunkedBodyChangesNothing(seed: UInt64) throws {
        var random = SplitMix(seed: seed)
        for vector in try VectorFile.load("requests.vectors") {
            let message = Message(vector.message)
            guard case .complete(let head) = message.parseRequest() else { continue }
            let expected = message.body(framing: head.traits.framing, from: head.byteCount)
            let found = message.bodyInPieces(framing: head.traits.framing, from: head.byteCount, &random)
            #expect(found.fault == expected.fault, "seed \(seed): \(vector.name)")
            guard expected.fault == nil else { continue }
            #expect(found.data == expected.data, "seed \(seed): \(vector.name)")
            #expect(found.rest == expected.rest, "seed \(seed): \(vector.name)")
            #expect(found.isComplete == expected.isComplete, "seed \(seed): \(vector.name)")
        }
    }

    @Test(arguments: seeds)
    func noBytesTrap(seed: UInt64) throws {
        var random = SplitMix(seed: seed)
        let requests = try VectorFile.load("requests.vectors").map(\.message)
        let responses = try VectorFile.load("responses.vectors").map(\.message)
        for _ in 0..<300 {
            var request = requests[random.below(requests.count)]
            random.mutate(&request)
            try checkForwardedRequest(request, seed)
            var response = responses[random.below(responses.count)]
            random.mutate(&response)
            checkResponse(response)
        }
    }

    @Test func forwardingIsStable() throws {
        for vector in try VectorFile.load("requests.vectors") { try checkForwardedRequest(vector.message, 0) }
    }

    /// Whatever is taken is forwarded in a form that parses to the same message again.
    private func checkForwardedRequest(_ bytes: [UInt8], _ seed: UInt64) throws {
        let message = Message(bytes)
        guard case .complete(let head) = message.parseRequest() else { return }
        _ = message.body(framing: head.traits.framing, from: head.byteCount)
        guard let forwarded = message.rewrittenBytes(head, .example) else { return }
        let again = Message(forwarded)
        switch again.parseRequest() {
        case .complete(let second):
            #expect(second.byteCount == forwarded.count, "seed \(seed): \(again.description)")
            #expect(again.text(second.path) == message.text(head.path), "seed \(seed): \(again.description)")
            #expect(second.traits.framing == head.traits.framing, "seed \(seed): \(again.description)")
            #expect(second.traits.method == head.traits.method, "seed \(seed): \(again.description)")
            #expect(second.traits.wantsUpgrade == head.traits.wantsUpgrade, "seed \(seed): \(again.description)")
            if !head.authority.isEmpty {
                #expect(again.text(second.authority) == message.text(head.authority), "seed \(seed)")
            }
        case .invalid(.headTooLarge), .invalid(.tooManyFields), .invalid(.targetTooLong):
            break
        case .invalid, .incomplete:
            Issue.record("seed \(seed): what is forwarded does not parse: \(again.description)")
        }
    }

    private func checkResponse(_ bytes: [UInt8]) {
        let message = Message(bytes)
        guard case .complete(let head) = message.parseResponse(to: .get) else { return }
        _ = message.body(framing: head.traits.framing, from: head.byteCount)
    }
}

/// A small generator whose whole state is its seed.
struct SplitMix {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }

    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }

    /// Changes, inserts, removes or repeats some bytes, with a liking for those that matter to framing.
    mutating func mutate(_ bytes: inout [UInt8]) {
        let favourites: [UInt8] = Array("\r\n :,;\t\0/%.?#[]0159afHC".utf8) + [0x7f, 0x80, 0xff]
        for _ in 0...below(4) where !bytes.isEmpty {
            let index = below(bytes.count)
            let byte = below(3) == 0 ? UInt8(truncatingIfNeeded: next()) : favourites[below(favourites.count)]
            switch below(4) {
            case 0: bytes[index] = byte
            case 1: bytes.insert(byte, at: index)
            case 2: bytes.remove(at: index)
            default:
                let end = min(bytes.count, index + 1 + below(40))
                bytes.insert(contentsOf: bytes[index..<end], at: below(bytes.count))
            }
        }
    }
}
