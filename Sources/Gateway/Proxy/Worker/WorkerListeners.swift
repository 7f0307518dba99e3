import Glibc
import Posix

/// The listening sockets of one worker.
struct WorkerListeners {
    private var descriptors = [Int32](repeating: -1, count: ListenerID.maximum)
    private var isPaused = [Bool](repeating: false, count: ListenerID.maximum)
    private var terms = [ListenerTerms](repeating: .plain, count: ListenerID.maximum)
    /// When the paused listeners accept again.
    private(set) var resumeAt = Instant.distantFuture

    /// All that are there.
    var all: [ListenerID] { descriptors.indices.filter { descriptors[$0] >= 0 }.map(ListenerID.init) }

    func contains(_ listener: ListenerID) -> Bool { descriptors[listener.value] >= 0 }

    func listener(onPort port: UInt16) -> ListenerID? {
        all.first { Socket.localAddress(of: descriptors[$0.value])?.port == port }
    }

    mutating func add(_ listener: ListenerID, descriptor: Int32) { descriptors[listener.value] = descriptor }

    mutating func setTerms(_ listener: ListenerID, _ terms: ListenerTerms) { self.terms[listener.value] = terms }

    /// They stay in force for connections that outlive their listener.
    func terms(_ listener: ListenerID) -> ListenerTerms { terms[listener.value] }

    /// Closes the socket.
    mutating func close(_ listener: ListenerID) {
        guard contains(listener) else { return }
        _ = Glibc.close(descriptors[listener.value])
        descriptors[listener.value] = -1
        isPaused[listener.value] = false
    }

    func closeAll() {
        for descriptor in descriptors where descriptor >= 0 { _ = Glibc.close(descriptor) }
    }

    mutating func pause(_ listener: ListenerID, until instant: Instant) {
        isPaused[listener.value] = true
        resumeAt = min(resumeAt, instant)
    }

    /// The listeners whose pause has passed.
    mutating func takeResumable(now: Instant) -> [ListenerID] {
        guard resumeAt <= now else { return [] }
        resumeAt = .distantFuture
        let paused = isPaused.indices.filter { isPaused[$0] }.map(ListenerID.init)
        for listener in paused { isPaused[listener.value] = false }
        return paused
    }
}
