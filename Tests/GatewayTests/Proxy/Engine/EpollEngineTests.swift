import CLinux
import Gateway
import Glibc
import Posix
import Testing

@Suite struct EpollEngineTests {
    @Test func bytesAndTheirEndArriveInOrder() throws {
        let bench = try EngineBench()
        let far = try bench.adoptPair(as: Slot(0))
        far.write("hello")
        far.finish()
        bench.engine.receive(Slot(0), limit: Scratch.headCapacity)
        #expect(try bench.await() == .received(Slot(0), "hello"))
        bench.engine.receive(Slot(0), limit: Scratch.headCapacity)
        #expect(try bench.await() == .receivedEnd(Slot(0)))
    }

    @Test func unreadBytesComeAgainAtOnce() throws {
        let bench = try EngineBench()
        let far = try bench.adoptPair(as: Slot(0))
        far.write("one two")
        bench.engine.receive(Slot(0), limit: Scratch.headCapacity)
        #expect(try bench.await() == .received(Slot(0), "one two"))
        bench.unread("two", Slot(0))
        bench.engine.receive(Slot(0), limit: Scratch.headCapacity)
        #expect(try bench.await() == .received(Slot(0), "two"))
    }

    @Test func receiveMoreWaitsForNewBytesAndPutsUnreadOnesInFront() throws {
        let bench = try EngineBench()
        let far = try bench.adoptPair(as: Slot(0))
        far.write("GET /")
        bench.engine.receive(Slot(0), limit: Scratch.headCapacity)
        _ = try bench.await()
        bench.unread("GET /", Slot(0))
        bench.engine.receiveMore(Slot(0))
        #expect(try bench.poll() == nil)
        far.write(" HTTP")
        #expect(try bench.await() == .received(Slot(0), "GET / HTTP"))
    }

    @Test func moreThanOneReceiveHoldsIsReadOnWithoutAnotherEvent() throws {
        let bench = try EngineBench()
        let far = try bench.adoptPair(as: Slot(0))
        far.write(String(repeating: "x", count: Scratch.headCapacity + 10))
        bench.engine.receive(Slot(0), limit: Scratch.headCapacity)
        _ = try bench.await()
        bench.engine.receive(Slot(0), limit: Scratch.headCapacity)
        #expect(try bench.await() == .received(Slot(0), String(repeating: "x", count: 10)))
    }

    @Test func sendThatTheKernelDoesNotTakeIsFinishedLater() throws {
        let bench = try EngineBench()
        let far = try bench.adoptPair(as: Slot(0))
        let block = [UInt8](repeating: 7, count: 200_000)
        var sent = 0
        while case .done = bench.send(block, Slot(0)) { sent += block.count }
        #expect(bench.isSending(Slot(0)))
        let arrived = far.read(sent + block.count) { try? bench.drain() }
        #expect(arrived == sent + block.count)
        #expect(bench.seen.contains(.sent(Slot(0))))
        #expect(!bench.isSending(Slot(0)))
    }

    @Test func spliceMovesItsBytesAndNoMore() throws {
        let bench = try EngineBench()
        let source = try bench.adoptPair(as: Slot(0))
        let target = try bench.adoptPair(as: Slot(1))
        #expect(bench.splice(Slot(0), to: Slot(1), count: 300_000))
        let writer = try Thread(name: "writer") { source.write(String(repeating: "s", count: 300_000) + "rest") }
        #expect(target.read(300_000) { try? bench.drain() } == 300_000)
        #expect(bench.seen == [.spliced(Slot(0))])
        writer.join()
        bench.engine.receive(Slot(0), limit: Scratch.headCapacity)
        #expect(try bench.await() == .received(Slot(0), "rest"))
    }

    @Test func spliceTellsThatItsSourceEndedEarly() throws {
        let bench = try EngineBench()
        let source = try bench.adoptPair(as: Slot(0))
        let target = try bench.adoptPair(as: Slot(1))
        #expect(bench.splice(Slot(0), to: Slot(1), count: 1000))
        source.write("only this")
        source.finish()
        #expect(try bench.await() == .receivedEnd(Slot(0)))
        #expect(target.read(9) {} == 9)
    }

    @Test func closeIsTheLastCompletionAndFreesTheSlot() throws {
        let bench = try EngineBench()
        let far = try bench.adoptPair(as: Slot(0))
        far.write("late")
        bench.engine.receive(Slot(0), limit: Scratch.headCapacity)
        bench.engine.close(Slot(0), .orderly)
        #expect(try bench.await() == .closed(Slot(0)))
        #expect(try bench.poll() == nil)
        let next = try bench.adoptPair(as: Slot(0))
        next.write("new")
        bench.engine.receive(Slot(0), limit: Scratch.headCapacity)
        #expect(try bench.await() == .received(Slot(0), "new"))
    }

    @Test func connectionIsAcceptedConnectedAndReset() throws {
        let bench = try EngineBench()
        let listener = try Socket.listen(on: SocketAddress("127.0.0.1:0")!)
        let address = Socket.localAddress(of: listener.raw)!
        try bench.engine.accept(on: ListenerID(0), descriptor: listener.raw)
        try bench.engine.connect(Slot(0), to: address)
        let first = [try bench.await(), try bench.await()]
        #expect(first.contains(.connected(Slot(0))))
        guard let peer = bench.accepted else {
            Issue.record("nothing was accepted: \(first)")
            return
        }
        try bench.engine.adopt(peer, as: Slot(1))
        bench.engine.close(Slot(1), .reset)
        #expect(try bench.await() == .closed(Slot(1)))
        #expect(try bench.await() == .reset(Slot(0)))
        bench.engine.receive(Slot(0), limit: Scratch.capacity)
        #expect(try bench.await() == .receivedEnd(Slot(0)) || bench.seen.last == .failed(Slot(0), ECONNRESET))
    }

    @Test func refusedConnectIsReported() throws {
        let bench = try EngineBench()
        let address: SocketAddress
        do {
            let listener = try Socket.listen(on: SocketAddress("127.0.0.1:0")!)
            address = Socket.localAddress(of: listener.raw)!
        }
        try bench.engine.connect(Slot(0), to: address)
        #expect(try bench.await() == .failed(Slot(0), ECONNREFUSED))
    }

    @Test func finishAcceptingTakesWhatWaits() throws {
        let bench = try EngineBench()
        let listener = try Socket.listen(on: SocketAddress("127.0.0.1:0")!)
        let address = Socket.localAddress(of: listener.raw)!
        try bench.engine.accept(on: ListenerID(3), descriptor: listener.raw)
        bench.engine.pauseAccepting(on: ListenerID(3))
        try bench.engine.connect(Slot(0), to: address)
        #expect(try bench.await() == .connected(Slot(0)))
        bench.engine.finishAccepting(on: ListenerID(3))
        #expect(try bench.await() == .accepted(ListenerID(3)))
        #expect(try bench.await() == .acceptFinished(ListenerID(3)))
    }
}

/// An engine with completions turned into comparable values.
private final class EngineBench {
    enum Seen: Equatable {
        case accepted(ListenerID), acceptFinished(ListenerID)
        case connected(Slot), received(Slot, String), receivedEnd(Slot), sent(Slot), reset(Slot), spliced(Slot), closed(
            Slot), woken
        case failed(Slot, Int32)
    }

    var engine: EpollEngine
    private let wake: WakeEvent
    private(set) var seen: [Seen] = []
    private(set) var accepted: Int32?

    init() throws {
        let wake = try WakeEvent()
        engine = try EpollEngine(capacity: 8, wake: wake.raw, memory: MemoryLimits())
        self.wake = wake
    }

    func adoptPair(as slot: Slot) throws -> FarEnd {
        var ends: [Int32] = [0, 0]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
        _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
        try engine.adopt(ends[0], as: slot)
        return FarEnd(ends[1])
    }

    func unread(_ text: String, _ slot: Slot) {
        var text = text
        text.withUTF8 { engine.unread(slot, UnsafeRawBufferPointer($0)) }
    }

    func send(_ bytes: [UInt8], _ slot: Slot) -> SendOutcome {
        bytes.withUnsafeBytes { engine.send(slot, $0) }
    }

    func splice(_ source: Slot, to target: Slot, count: UInt64) -> Bool {
        engine.splice(source, to: target, count: count)
    }

    func isSending(_ slot: Slot) -> Bool { engine.unsentBytes(slot) > 0 }

    /// The next completion, or nil after five seconds.
    func await() throws -> Seen? {
        let deadline = Instant.now() + .seconds(5)
        while Instant.now() < deadline {
            if let completion = take() { return completion }
            try engine.wait(until: deadline, now: .now())
        }
        return nil
    }

    /// What can be completed without waiting.
    func poll() throws -> Seen? {
        try engine.wait(until: .zero, now: .now())
        return take()
    }

    func drain() throws { while try poll() != nil {} }

    private func take() -> Seen? {
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
        case .woken: return .woken
        case .connectFailed(let slot, let code), .receiveFailed(let slot, let code), .sendFailed(let slot, let code):
            return .failed(slot, code)
        }
    }
}

/// The test's end of a socket pair.
private final class FarEnd: Sendable {
    private let descriptor: Int32

    init(_ descriptor: Int32) { self.descriptor = descriptor }
    deinit { close(descriptor) }

    func write(_ text: String) { #expect(Glibc.write(descriptor, text, text.utf8.count) == text.utf8.count) }

    func finish() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Reads `count` bytes, calling `meanwhile` whenever none are there.
    func read(_ count: Int, _ meanwhile: () -> Void) -> Int {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        var total = 0
        let deadline = Instant.now() + .seconds(5)
        while total < count && Instant.now() < deadline {
            let got = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            if got > 0 { total += got } else { meanwhile() }
        }
        return total
    }
}
