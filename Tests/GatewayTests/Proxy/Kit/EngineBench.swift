import CLinux
import Gateway
import Glibc
import Posix
import Testing

/// An engine for tests, whichever it is, with completions turned into comparable values.
class EngineBench {
    enum Seen: Equatable {
        case accepted(ListenerID), acceptFinished(ListenerID)
        case connected(Slot), received(Slot, String), receivedEnd(Slot), sent(Slot), reset(Slot), spliced(Slot)
        case closed(Slot), detached(Slot), woken
        case failed(Slot, Int32)
    }

    fileprivate(set) var seen: [Seen] = []
    fileprivate(set) var accepted: Int32?

    /// Nil where the kernel does not have the engine.
    static func make(_ engine: EngineChoice) -> EngineBench? {
        switch engine {
        case .ioUring:
            guard RingEngine.obstacle() == nil else { return nil }
            let bench = EngineBenchOf<RingEngine>()
            // It lives as long as the process: the end of a ring interrupts a blocking call of the thread that made it,
            // which would be one of another test.
            return Unmanaged.passRetained(bench).takeUnretainedValue()
        case .epoll, .auto: return EngineBenchOf<EpollEngine>()
        }
    }

    func accept(on listener: ListenerID, descriptor: Int32) throws { fatalError("abstract") }
    func pauseAccepting(on listener: ListenerID) { fatalError("abstract") }
    func finishAccepting(on listener: ListenerID) { fatalError("abstract") }
    func adopt(_ descriptor: Int32, as slot: Slot) throws { fatalError("abstract") }
    func connect(_ slot: Slot, to address: SocketAddress) throws { fatalError("abstract") }
    func receive(_ slot: Slot, limit: Int) { fatalError("abstract") }
    func receiveMore(_ slot: Slot) { fatalError("abstract") }
    func unread(_ text: String, _ slot: Slot) { fatalError("abstract") }
    func send(_ bytes: [UInt8], _ slot: Slot) -> SendOutcome { fatalError("abstract") }
    func splice(_ source: Slot, to target: Slot, count: UInt64) -> Bool { fatalError("abstract") }
    func settle(_ slot: Slot) { fatalError("abstract") }
    func isSending(_ slot: Slot) -> Bool { fatalError("abstract") }
    func finishSending(_ slot: Slot) { fatalError("abstract") }
    func close(_ slot: Slot, _ manner: CloseManner) { fatalError("abstract") }
    func detach(_ slot: Slot) { fatalError("abstract") }
    func takeDetached(_ slot: Slot) -> DetachedSocket { fatalError("abstract") }
    fileprivate func wait(until deadline: Instant) throws { fatalError("abstract") }
    fileprivate func take() -> Seen? { fatalError("abstract") }

    func isDone(_ outcome: SendOutcome) -> Bool {
        switch outcome {
        case .done: true
        case .pending, .failed: false
        }
    }

    func adoptPair(as slot: Slot) throws -> FarEnd {
        var ends: [Int32] = [0, 0]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
        _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
        try adopt(ends[0], as: slot)
        return FarEnd(ends[1])
    }

    /// The next completion, or nil when none comes for long.
    func await() throws -> Seen? {
        let deadline = Instant.now() + .seconds(20)
        while Instant.now() < deadline {
            if let completion = take() { return completion }
            try wait(until: deadline)
        }
        return nil
    }

    /// What can be completed without waiting.
    func poll() throws -> Seen? {
        try wait(until: .zero)
        return take()
    }

    func drain() throws { while try poll() != nil {} }
}

private final class EngineBenchOf<E: Engine & ~Copyable>: EngineBench {
    private var engine: E
    private let wake: WakeEvent

    override init() {
        do {
            let wake = try WakeEvent()
            engine = try E(capacity: 8, clients: 4, wake: wake.raw, memory: MemoryLimits())
            self.wake = wake
        } catch {
            fatalError("no engine: \(error)")
        }
    }

    override func accept(on listener: ListenerID, descriptor: Int32) throws {
        try engine.accept(on: listener, descriptor: descriptor)
    }
    override func pauseAccepting(on listener: ListenerID) { engine.pauseAccepting(on: listener) }
    override func finishAccepting(on listener: ListenerID) { engine.finishAccepting(on: listener) }
    override func adopt(_ descriptor: Int32, as slot: Slot) throws { try engine.adopt(descriptor, as: slot) }
    override func connect(_ slot: Slot, to address: SocketAddress) throws { try engine.connect(slot, to: address) }
    override func receive(_ slot: Slot, limit: Int) { engine.receive(slot, limit: limit) }
    override func receiveMore(_ slot: Slot) { engine.receiveMore(slot) }
    override func unread(_ text: String, _ slot: Slot) {
        var text = text
        text.withUTF8 { engine.unread(slot, UnsafeRawBufferPointer($0)) }
    }
    override func send(_ bytes: [UInt8], _ slot: Slot) -> SendOutcome {
        bytes.withUnsafeBytes { engine.send(slot, $0) }
    }
    override func splice(_ source: Slot, to target: Slot, count: UInt64) -> Bool {
        engine.splice(source, to: target, count: count)
    }
    override func settle(_ slot: Slot) { engine.settle(slot) }
    override func isSending(_ slot: Slot) -> Bool { engine.unsentBytes(slot) > 0 }
    override func finishSending(_ slot: Slot) { engine.finishSending(slot) }
    override func close(_ slot: Slot, _ manner: CloseManner) { engine.close(slot, manner) }
    override func detach(_ slot: Slot) { engine.detach(slot) }
    override func takeDetached(_ slot: Slot) -> DetachedSocket { engine.takeDetached(slot) }
    override fileprivate func wait(until deadline: Instant) throws {
        try engine.wait(until: deadline, now: .now())
    }

    override fileprivate func take() -> Seen? {
        guard let completion = engine.next() else { return nil }
        seen.append(describe(completion))
        return seen.last
    }

    private func describe(_ completion: Completion) -> Seen {
        switch completion {
        case .accepted(let listener, let descriptor, _):
            accepted = descriptor
            return .accepted(listener)
        case .acceptFailed(let listener, let code): return .failed(Slot(UInt32(listener.value)), code)
        case .acceptFinished(let listener): return .acceptFinished(listener)
        case .connected(let slot): return .connected(slot)
        case .received(let slot, let bytes): return .received(slot, String(decoding: bytes, as: UTF8.self))
        case .receivedEnd(let slot): return .receivedEnd(slot)
        case .sent(let slot): return .sent(slot)
        case .reset(let slot): return .reset(slot)
        case .spliced(let slot): return .spliced(slot)
        case .closed(let slot): return .closed(slot)
        case .detached(let slot): return .detached(slot)
        case .woken: return .woken
        case .connectFailed(let slot, let code), .receiveFailed(let slot, let code), .sendFailed(let slot, let code):
            return .failed(slot, code)
        }
    }
}

/// The other end of a socket pair.
final class FarEnd: Sendable {
    private let descriptor: Int32

    init(_ descriptor: Int32) { self.descriptor = descriptor }

    deinit { Glibc.close(descriptor) }

    func write(_ text: String) {
        let bytes = Array(text.utf8)
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress!, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count < 0 { return }
            sent += count
        }
    }

    func finish() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Reads `count` bytes, calling `meanwhile` whenever none are there.
    func bytes(_ count: Int, _ meanwhile: () -> Void) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        var all: [UInt8] = []
        let deadline = Instant.now() + .seconds(20)
        while all.count < count && Instant.now() < deadline {
            let got = recv(descriptor, &buffer, min(buffer.count, count - all.count), Int32(MSG_DONTWAIT))
            if got == 0 { break }
            if got > 0 { all += buffer[..<got] } else { meanwhile() }
        }
        return all
    }

    func read(_ count: Int, _ meanwhile: () -> Void) -> Int { bytes(count, meanwhile).count }

    /// Everything up to the end.
    func rest(_ meanwhile: () -> Void) -> String { String(decoding: bytes(.max, meanwhile), as: UTF8.self) }
}
