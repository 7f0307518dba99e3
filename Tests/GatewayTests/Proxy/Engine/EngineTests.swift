import CLinux
import Gateway
import Glibc
import Posix
import Testing

/// What every engine has to do, on each of them.
@Suite struct EngineTests {
    static let engines: [EngineChoice] = [.epoll, .ioUring]

    @Test(arguments: engines) func bytesAndTheirEndArriveInOrder(_ engine: EngineChoice) throws {
        guard let bench = EngineBench.make(engine) else { return }
        let far = try bench.adoptPair(as: Slot(0))
        far.write("hello")
        far.finish()
        bench.receive(Slot(0), limit: Scratch.headCapacity)
        #expect(try bench.await() == .received(Slot(0), "hello"))
        bench.receive(Slot(0), limit: Scratch.headCapacity)
        #expect(try bench.await() == .receivedEnd(Slot(0)))
    }

    @Test(arguments: engines) func unreadBytesComeAgainAtOnce(_ engine: EngineChoice) throws {
        guard let bench = EngineBench.make(engine) else { return }
        let far = try bench.adoptPair(as: Slot(0))
        far.write("one two")
        bench.receive(Slot(0), limit: Scratch.headCapacity)
        #expect(try bench.await() == .received(Slot(0), "one two"))
        bench.unread("two", Slot(0))
        bench.receive(Slot(0), limit: Scratch.headCapacity)
        #expect(try bench.await() == .received(Slot(0), "two"))
    }

    @Test(arguments: engines) func aDetachedSocketGoesOnInAnotherSlotWithWhatNobodyAskedFor(
        _ engine: EngineChoice
    ) throws {
        guard let bench = EngineBench.make(engine) else { return }
        let far = try bench.adoptPair(as: Slot(0))
        far.write("used and not")
        bench.receive(Slot(0), limit: Scratch.headCapacity)
        _ = try bench.await()
        bench.unread(" and not", Slot(0))
        bench.detach(Slot(0))
        #expect(try bench.await() == .detached(Slot(0)))
        let socket = bench.takeDetached(Slot(0))
        #expect(socket.unread == Array(" and not".utf8))
        far.write("later")
        try bench.adopt(socket.descriptor, as: Slot(1))
        bench.receive(Slot(1), limit: Scratch.headCapacity)
        #expect(try bench.await() == .received(Slot(1), "later"))
        let next = try bench.adoptPair(as: Slot(0))
        next.write("new")
        bench.receive(Slot(0), limit: Scratch.headCapacity)
        #expect(try bench.await() == .received(Slot(0), "new"))
    }

    @Test(arguments: engines) func receiveMoreWaitsForNewBytesAndPutsUnreadOnesInFront(_ engine: EngineChoice) throws {
        guard let bench = EngineBench.make(engine) else { return }
        let far = try bench.adoptPair(as: Slot(0))
        far.write("GET /")
        bench.receive(Slot(0), limit: Scratch.headCapacity)
        _ = try bench.await()
        bench.unread("GET /", Slot(0))
        bench.receiveMore(Slot(0))
        #expect(try bench.poll() == nil)
        far.write(" HTTP")
        #expect(try bench.await() == .received(Slot(0), "GET / HTTP"))
    }

    @Test(arguments: engines) func moreThanOneReceiveHoldsIsReadOnWithoutAnotherEvent(_ engine: EngineChoice) throws {
        guard let bench = EngineBench.make(engine) else { return }
        let far = try bench.adoptPair(as: Slot(0))
        far.write(String(repeating: "x", count: Scratch.headCapacity + 10))
        bench.receive(Slot(0), limit: Scratch.headCapacity)
        _ = try bench.await()
        bench.receive(Slot(0), limit: Scratch.headCapacity)
        #expect(try bench.await() == .received(Slot(0), String(repeating: "x", count: 10)))
    }

    @Test(arguments: engines) func sendThatTheKernelDoesNotTakeIsFinishedLater(_ engine: EngineChoice) throws {
        guard let bench = EngineBench.make(engine) else { return }
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

    @Test(arguments: engines) func spliceMovesItsBytesAndNoMore(_ engine: EngineChoice) throws {
        guard let bench = EngineBench.make(engine) else { return }
        let source = try bench.adoptPair(as: Slot(0))
        let target = try bench.adoptPair(as: Slot(1))
        #expect(bench.splice(Slot(0), to: Slot(1), count: 300_000))
        let writer = try Thread(name: "writer") { source.write(String(repeating: "s", count: 300_000) + "rest") }
        #expect(target.read(300_000) { try? bench.drain() } == 300_000)
        #expect(bench.seen == [.spliced(Slot(0))])
        writer.join()
        bench.receive(Slot(0), limit: Scratch.headCapacity)
        #expect(try bench.await() == .received(Slot(0), "rest"))
    }

    /// They come first: by the splice, or instead of it.
    @Test(arguments: engines) func bytesThatNobodyAskedForKeepTheirPlaceBeforeASplice(_ engine: EngineChoice) throws {
        guard let bench = EngineBench.make(engine) else { return }
        let source = try bench.adoptPair(as: Slot(0))
        let target = try bench.adoptPair(as: Slot(1))
        source.write("head")
        bench.receive(Slot(0), limit: Scratch.headCapacity)
        #expect(try bench.await() == .received(Slot(0), "head"))
        source.write("more")
        for _ in 0..<3 { #expect(try bench.poll() == nil) }
        if bench.splice(Slot(0), to: Slot(1), count: 4) {
            #expect(target.read(4) { try? bench.drain() } == 4)
        } else {
            bench.receive(Slot(0), limit: Scratch.headCapacity)
            #expect(try bench.await() == .received(Slot(0), "more"))
        }
    }

    @Test(arguments: engines) func spliceTellsThatItsSourceEndedEarly(_ engine: EngineChoice) throws {
        guard let bench = EngineBench.make(engine) else { return }
        let source = try bench.adoptPair(as: Slot(0))
        let target = try bench.adoptPair(as: Slot(1))
        #expect(bench.splice(Slot(0), to: Slot(1), count: 1000))
        source.write("only this")
        source.finish()
        #expect(try bench.await() == .receivedEnd(Slot(0)))
        #expect(target.read(9) {} == 9)
    }

    @Test(arguments: engines) func closeIsTheLastCompletionAndFreesTheSlot(_ engine: EngineChoice) throws {
        guard let bench = EngineBench.make(engine) else { return }
        let far = try bench.adoptPair(as: Slot(0))
        far.write("late")
        bench.receive(Slot(0), limit: Scratch.headCapacity)
        bench.close(Slot(0), .orderly)
        #expect(try bench.await() == .closed(Slot(0)))
        #expect(try bench.poll() == nil)
        let next = try bench.adoptPair(as: Slot(0))
        next.write("new")
        bench.receive(Slot(0), limit: Scratch.headCapacity)
        #expect(try bench.await() == .received(Slot(0), "new"))
    }

    @Test(arguments: engines) func connectionIsAcceptedConnectedAndReset(_ engine: EngineChoice) throws {
        guard let bench = EngineBench.make(engine) else { return }
        let listener = try Socket.listen(on: SocketAddress("127.0.0.1:0")!)
        let address = Socket.localAddress(of: listener.raw)!
        try bench.accept(on: ListenerID(0), descriptor: listener.raw)
        try bench.connect(Slot(0), to: address)
        let first = [try bench.await(), try bench.await()]
        #expect(first.contains(.connected(Slot(0))))
        guard let peer = bench.accepted else {
            Issue.record("nothing was accepted: \(first)")
            return
        }
        try bench.adopt(peer, as: Slot(1))
        #expect(bench.isDone(bench.send(Array("hello".utf8), Slot(1))))
        bench.receive(Slot(0), limit: Scratch.headCapacity)
        #expect(try bench.await() == .received(Slot(0), "hello"))
        bench.close(Slot(1), .reset)
        #expect(try bench.await() == .closed(Slot(1)))
        #expect(try bench.await() == .reset(Slot(0)))
        bench.receive(Slot(0), limit: Scratch.capacity)
        #expect(try bench.await() == .receivedEnd(Slot(0)) || bench.seen.last == .failed(Slot(0), ECONNRESET))
    }

    @Test(arguments: engines) func refusedConnectIsReported(_ engine: EngineChoice) throws {
        guard let bench = EngineBench.make(engine) else { return }
        let address: SocketAddress
        do {
            let listener = try Socket.listen(on: SocketAddress("127.0.0.1:0")!)
            address = Socket.localAddress(of: listener.raw)!
        }
        try bench.connect(Slot(0), to: address)
        #expect(try bench.await() == .failed(Slot(0), ECONNREFUSED))
    }

    @Test(arguments: engines) func finishAcceptingTakesWhatWaits(_ engine: EngineChoice) throws {
        guard let bench = EngineBench.make(engine) else { return }
        let listener = try Socket.listen(on: SocketAddress("127.0.0.1:0")!)
        let address = Socket.localAddress(of: listener.raw)!
        try bench.accept(on: ListenerID(3), descriptor: listener.raw)
        bench.pauseAccepting(on: ListenerID(3))
        let waiting = (4..<7).map { Slot(UInt32($0)) }
        for slot in waiting {
            try bench.connect(slot, to: address)
            #expect(try bench.await() == .connected(slot))
        }
        bench.finishAccepting(on: ListenerID(3))
        for _ in waiting { #expect(try bench.await() == .accepted(ListenerID(3))) }
        #expect(try bench.await() == .acceptFinished(ListenerID(3)))
    }

    @Test(arguments: engines) func manyShortMessagesOfTwoConnectionsAreToldApart(_ engine: EngineChoice) throws {
        guard let bench = EngineBench.make(engine) else { return }
        let slots = [Slot(0), Slot(1)]
        let far = try slots.map { try bench.adoptPair(as: $0) }
        // More in all than an engine has buffers for, each message different from those around it.
        for number in 0..<1000 {
            let text = "\(number) " + String(repeating: "m", count: number * 7 % 3000)
            far[number % 2].write(text)
            bench.receive(slots[number % 2], limit: Scratch.headCapacity)
            var received = ""
            while received.utf8.count < text.utf8.count, case .received(slots[number % 2], let part) = try bench.await()
            {
                received += part
                if received.utf8.count < text.utf8.count {
                    bench.receive(slots[number % 2], limit: Scratch.headCapacity)
                }
            }
            guard received == text else {
                Issue.record("message \(number) came as \(received.prefix(20))")
                return
            }
        }
    }

    @Test(arguments: engines) func burstThatNobodyWantsWaitsAndIsBounded(_ engine: EngineChoice) throws {
        guard let bench = EngineBench.make(engine) else { return }
        let far = try bench.adoptPair(as: Slot(0))
        far.write("first")
        bench.receive(Slot(0), limit: Scratch.headCapacity)
        #expect(try bench.await() == .received(Slot(0), "first"))
        // Much more than is received while nobody asks for it.
        let count = 32 << 20
        let writer = try Thread(name: "writer") { far.write(String(repeating: "b", count: count)) }
        var total = 0
        while total < count {
            bench.receive(Slot(0), limit: Scratch.capacity)
            guard case .received(_, let text) = try bench.await() else {
                Issue.record("\(total) bytes of \(count)")
                break
            }
            total += text.utf8.count
            for _ in 0..<3 { #expect(try bench.poll() == nil) }
        }
        writer.join()
        #expect(total == count)
    }

    @Test(arguments: engines) func sendsOfOneTurnKeepTheirOrder(_ engine: EngineChoice) throws {
        guard let bench = EngineBench.make(engine) else { return }
        let far = try bench.adoptPair(as: Slot(0))
        var sent: [UInt8] = []
        // Until the kernel takes no more, in parts that are gathered.
        for number in 0..<4096 {
            let part = [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 3000)
            sent += part
            guard bench.isDone(bench.send(part, Slot(0))) else { break }
        }
        bench.settle(Slot(0))
        #expect(bench.isSending(Slot(0)))
        #expect(far.bytes(sent.count) { try? bench.drain() } == sent)
        #expect(bench.seen.contains(.sent(Slot(0))))
        #expect(!bench.isSending(Slot(0)))
    }

    @Test(arguments: engines) func finishComesAfterTheBytesOfItsTurn(_ engine: EngineChoice) throws {
        guard let bench = EngineBench.make(engine) else { return }
        let far = try bench.adoptPair(as: Slot(0))
        #expect(bench.isDone(bench.send(Array("last words".utf8), Slot(0))))
        bench.finishSending(Slot(0))
        #expect(far.rest { try? bench.drain() } == "last words")
    }

    @Test(arguments: engines) func failedSendIsTold(_ engine: EngineChoice) throws {
        guard let bench = EngineBench.make(engine) else { return }
        do { _ = try bench.adoptPair(as: Slot(0)) }
        let outcome = bench.send(Array("nobody reads this".utf8), Slot(0))
        bench.settle(Slot(0))
        if case .failed(let code) = outcome {
            #expect(code == EPIPE)
        } else {
            while let seen = try bench.await(), seen != .failed(Slot(0), EPIPE) {}
            #expect(bench.seen.last == .failed(Slot(0), EPIPE))
        }
    }
}
