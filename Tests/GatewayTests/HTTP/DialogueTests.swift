import Gateway
import Glibc
import Posix
import Testing

/// The dialogues of `Tests/Corpus/http/exchanges.vectors`: a client and a backend that speak in turns, byte for byte,
/// with a real worker between them.
@Suite struct DialogueTests {
    @Test(arguments: try Dialogue.load("exchanges.vectors"))
    func comesOutAsWritten(dialogue: Dialogue) throws {
        let listener = try Socket.listen(on: SocketAddress("127.0.0.1:0")!)
        let gateway = try TestGateway([Socket.localAddress(of: listener.raw)!], retries: 0)
        let client = DialogueParty(try gateway.connect())
        var backend: DialogueParty?
        for step in dialogue.steps {
            switch step.party {
            case .client:
                try client.take(step)
            case .backend:
                if backend == nil || step.action == .accept { backend = try DialogueParty(acceptingFrom: listener.raw) }
                if step.action != .accept { try backend!.take(step) }
            }
        }
        #expect(!dialogue.steps.isEmpty)
        withExtendedLifetime((listener.raw, gateway, backend)) {}
    }
}

/// One dialogue of a vector file. The format is told in `Tests/Corpus/http/README.md`.
struct Dialogue: Sendable, CustomTestStringConvertible {
    enum Party: String { case client, backend }

    enum Action: String {
        case send = ">"
        case head = "<"
        case has, omits, body, chunks, fin, eof, accept
    }

    struct Step {
        var party: Party
        var action: Action
        var text: String
    }

    var name: String
    var steps: [Step] = []

    var testDescription: String { name }

    static func load(_ name: String) throws -> [Dialogue] {
        var dialogues: [Dialogue] = []
        for line in try VectorFile.lines(of: name) where !line.isEmpty && !line.hasPrefix("#") {
            if line.hasPrefix("== ") {
                guard line.contains(" | RFC ") else { throw VectorFile.Malformed(description: "no section: \(line)") }
                dialogues.append(Dialogue(name: String(line.dropFirst(3))))
                continue
            }
            let words = line.split(separator: " ", maxSplits: 2).map(String.init)
            guard words.count >= 2, let party = Party(rawValue: words[0]), let action = Action(rawValue: words[1])
            else {
                throw VectorFile.Malformed(description: "no step: \(line)")
            }
            dialogues[dialogues.count - 1].steps.append(
                Step(party: party, action: action, text: words.count > 2 ? words[2] : ""))
        }
        return dialogues
    }
}

/// One end of a dialogue.
private final class DialogueParty {
    private let wire: Wire
    private var head = ""

    init(_ wire: Wire) { self.wire = wire }

    init(acceptingFrom listener: Int32) throws {
        var waiting = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
        try #require(poll(&waiting, 1, 20_000) == 1, "the gateway connects")
        wire = Wire(accept(listener, nil, nil))
    }

    func take(_ step: Dialogue.Step) throws {
        switch step.action {
        case .send: try wire.send(try VectorFile.bytes(step.text[...]))
        case .head:
            head = String(decoding: try wire.bytes(through: "\r\n\r\n"), as: UTF8.self)
            #expect(head.hasPrefix("\(step.text)\r\n"), "in \(head)")
        case .has: #expect(head.contains("\r\n\(step.text)\r\n"), "in \(head)")
        case .omits: #expect(!head.lowercased().contains("\r\n\(step.text.lowercased()):"), "in \(head)")
        case .body:
            let expected = try VectorFile.bytes(step.text[...])
            let found = try wire.bytes(count: expected.count)
            #expect(found == expected, "\(String(decoding: found, as: UTF8.self))")
        case .chunks:
            let expected = try VectorFile.bytes(step.text[...])
            var found: [UInt8] = []
            // However the bytes were cut into chunks.
            while found.count < expected.count {
                let line = String(decoding: try wire.bytes(through: "\r\n").dropLast(2), as: UTF8.self)
                let size = try #require(Int(line, radix: 16))
                try #require(size > 0, "a last chunk after \(found.count) bytes")
                found += try wire.bytes(count: size + 2).dropLast(2)
            }
            #expect(found == expected, "\(String(decoding: found, as: UTF8.self))")
        case .fin: wire.finish()
        case .eof: #expect(try wire.rest() == [])
        case .accept: preconditionFailure("only a backend accepts")
        }
    }
}
