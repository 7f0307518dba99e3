import Glibc
import Posix

/// The listening sockets of an engine, which watches them level-triggered: what is not accepted in one turn is reported
/// again in the next.
struct ListenerTable {
    /// A turn takes one connection more for each so many completions of the turn before.
    private static let completionsPerAccept = 32

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
    /// Connections taken from one listener this turn. Taken one by one they are served and closed while what the kernel
    /// keeps of them is in the processor's cache, and the kernel is never asked for one that is not there.
    private var acceptsPerTurn = 1

    var hasFinishing: Bool { finishingCount > 0 }

    mutating func add(_ index: ListenerID, descriptor: Int32) {
        precondition(index.value < ListenerID.maximum, "too many listeners")
        while listeners.count <= index.value { listeners.append(Listener()) }
        precondition(listeners[index.value].state == .absent, "the listener is there already")
        listeners[index.value] = Listener(descriptor: descriptor, state: .accepting)
    }

    /// - Parameter completions: of the turn before. Long turns take more connections, or a busy worker would take few.
    mutating func beginTurn(completions: Int) { acceptsPerTurn = 1 + completions / ListenerTable.completionsPerAccept }

    /// Whether connections are to be taken from the listener, so that it has to be watched.
    func isWatched(_ index: Int) -> Bool {
        guard index < listeners.count else { return false }
        switch listeners[index].state {
        case .accepting, .finishing: return true
        case .absent, .paused: return false
        }
    }

    func descriptor(_ index: Int) -> Int32 { listeners[index].descriptor }

    mutating func noteReadable(_ index: Int) {
        guard isWatched(index) else { return }
        listeners[index].acceptsLeft = max(listeners[index].acceptsLeft, acceptsPerTurn)
        position = min(position, index)
    }

    /// - Returns: the descriptor that is no longer to be watched.
    mutating func pause(_ index: ListenerID) -> Int32? {
        guard listeners[index.value].state == .accepting else { return nil }
        listeners[index.value].state = .paused
        listeners[index.value].acceptsLeft = 0
        return listeners[index.value].descriptor
    }

    /// - Returns: the descriptor that is to be watched again.
    mutating func resume(_ index: ListenerID) -> Int32? {
        guard listeners[index.value].state == .paused else { return nil }
        listeners[index.value].state = .accepting
        return listeners[index.value].descriptor
    }

    mutating func finish(_ index: ListenerID) {
        guard listeners[index.value].state == .accepting || listeners[index.value].state == .paused else { return }
        listeners[index.value].state = .finishing
        // Until there is none: no event tells when the last one has been taken.
        listeners[index.value].acceptsLeft = .max
        position = min(position, index.value)
        finishingCount += 1
    }

    /// - Returns: the descriptor that is no longer to be watched.
    mutating func remove(_ index: ListenerID) -> Int32? {
        let listener = listeners[index.value]
        listeners[index.value] = Listener()
        switch listener.state {
        case .absent, .paused: return nil
        case .accepting: return listener.descriptor
        case .finishing:
            finishingCount -= 1
            return listener.descriptor
        }
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
}
