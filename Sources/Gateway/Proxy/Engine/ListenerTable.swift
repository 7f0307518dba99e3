import Glibc
import Posix

/// The listening sockets of an `EpollEngine`, level-triggered.
struct ListenerTable {
    static let firstToken = UInt32.max - 1 - UInt32(ListenerID.maximum)
    /// Connections taken from one listener a turn.
    private static let acceptsPerTurn = 64

    private enum State {
        case absent, accepting, paused
        /// Taking what waits before the end.
        case finishing
    }

    private struct Listener {
        var descriptor: Int32 = -1
        var state = State.absent
        var acceptsLeft = 0
    }

    private var listeners: [Listener] = []
    private var position = 0
    private var finishingCount = 0

    static func listener(ofToken token: UInt32) -> Int? {
        token >= firstToken && token < firstToken + UInt32(ListenerID.maximum) ? Int(token - firstToken) : nil
    }

    var hasFinishing: Bool { finishingCount > 0 }

    mutating func add(
        _ index: ListenerID, descriptor: Int32, to poller: borrowing Poller
    ) throws(SystemError) {
        precondition(index.value < ListenerID.maximum, "too many listeners")
        while listeners.count <= index.value { listeners.append(Listener()) }
        precondition(listeners[index.value].state == .absent, "the listener is there already")
        try poller.add(descriptor, .read, token: token(index))
        listeners[index.value] = Listener(descriptor: descriptor, state: .accepting)
    }

    mutating func noteReadable(_ index: Int) {
        guard index < listeners.count else { return }
        listeners[index].acceptsLeft = ListenerTable.acceptsPerTurn
        position = min(position, index)
    }

    mutating func pause(_ index: ListenerID, _ poller: borrowing Poller) {
        guard listeners[index.value].state == .accepting else { return }
        listeners[index.value].state = .paused
        listeners[index.value].acceptsLeft = 0
        poller.remove(listeners[index.value].descriptor)
    }

    mutating func resume(_ index: ListenerID, _ poller: borrowing Poller) {
        guard listeners[index.value].state == .paused else { return }
        do {
            try poller.add(listeners[index.value].descriptor, .read, token: token(index))
            listeners[index.value].state = .accepting
        } catch {
            Log.error("proxy: cannot listen again: \(error)")
        }
    }

    mutating func finish(_ index: ListenerID) {
        guard listeners[index.value].state == .accepting || listeners[index.value].state == .paused else { return }
        listeners[index.value].state = .finishing
        finishingCount += 1
        noteReadable(index.value)
    }

    mutating func remove(_ index: ListenerID, _ poller: borrowing Poller) {
        switch listeners[index.value].state {
        case .absent: return
        case .accepting: poller.remove(listeners[index.value].descriptor)
        case .finishing:
            poller.remove(listeners[index.value].descriptor)
            finishingCount -= 1
        case .paused: break
        }
        listeners[index.value] = Listener()
    }

    mutating func next() -> Completion? {
        while position < listeners.count {
            if let completion = acceptOne(position) { return completion }
            position += 1
        }
        return nil
    }

    private mutating func acceptOne(_ index: Int) -> Completion? {
        guard listeners[index].acceptsLeft > 0 else { return nil }
        listeners[index].acceptsLeft -= 1
        var peer = SocketAddress(ip: IPAddress(v4: 0), port: 0)
        do {
            if let socket = try Socket.accept(from: listeners[index].descriptor, peer: &peer) {
                return .accepted(ListenerID(index), descriptor: socket.take(), peer: peer)
            }
        } catch {
            listeners[index].acceptsLeft = 0
            if listeners[index].state == .accepting { return .acceptFailed(ListenerID(index), code: error.code) }
        }
        listeners[index].acceptsLeft = 0
        return listeners[index].state == .finishing ? .acceptFinished(ListenerID(index)) : nil
    }

    private func token(_ index: ListenerID) -> UInt64 { UInt64(ListenerTable.firstToken) + UInt64(index.value) }
}
