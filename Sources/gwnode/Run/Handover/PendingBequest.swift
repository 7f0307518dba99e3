import Gateway
import Posix
import Raft

/// Connections that killed nodes left with their guards, on their way here.
struct PendingBequests: ~Copyable {
    enum Arrival {
        /// From another machine.
        case legacy(Legacy)
        /// From the former gateway of this one.
        case connections(FormerGuard.Left)
        /// Nothing will come any more.
        case nothing
    }

    private var bequest: PendingBequest?
    /// A guard of this machine whose gateway was killed before this one was started.
    private var former: FormerGuard?
    /// A former guard is gone by then.
    private let formerDeadline: Instant
    /// A notice is sent several times.
    private var last: ReleaseNotice?

    init(on interface: String) {
        former = FormerGuard(on: interface)
        formerDeadline = .now() + FormerGuard.patience
    }

    var isEmpty: Bool { bequest == nil && former == nil }

    mutating func add(
        _ notice: ReleaseNotice, key: NoticeKey, from sender: NoticeListener.Correspondent, at now: Instant
    ) {
        guard last != notice else { return }
        last = notice
        bequest = PendingBequest(notice, key: key, from: sender, at: now)
    }

    mutating func take(_ note: BequestNote, at now: Instant) { bequest?.take(note, at: now) }

    /// Acts on the time and on what came. What has arrived as a whole goes to `use`.
    mutating func turn(_ view: ClusterView?, at now: Instant, _ use: (Arrival) -> Void) {
        if former != nil, view?.heldAddresses.isEmpty == false, let left = former?.take() {
            former = nil
            use(.connections(left))
        }
        if now > formerDeadline { former = nil }
        switch bequest?.turn(view, at: now) {
        case .waits, nil: return
        case .over: use(.nothing)
        case .legacy(let legacy):
            use(.legacy(legacy))
            bequest?.sayTaken(by: view)
        }
        bequest = nil
    }
}

/// Those of one node: asked for when this node holds the addresses.
private struct PendingBequest {
    enum Turn {
        case waits
        case over
        case legacy(Legacy)
    }

    /// Until they are here.
    static let patience = Nanoseconds.seconds(5)
    /// Of a guard that is asked and says nothing; it may be taking many connections out of its kernel.
    private static let silence = Nanoseconds.seconds(2)

    private let notice: ReleaseNotice
    private let key: NoticeKey
    private let sender: NoticeListener.Correspondent
    private let deadline: Instant
    /// Nil until it was asked.
    private var silentUntil: Instant?
    private var receipt: BequestReceipt

    init(_ notice: ReleaseNotice, key: NoticeKey, from sender: NoticeListener.Correspondent, at now: Instant) {
        self.notice = notice
        self.key = key
        self.sender = sender
        deadline = now + Self.patience
        receipt = BequestReceipt(at: now)
    }

    mutating func take(_ note: BequestNote, at now: Instant) {
        guard note.node == notice.node, note.term == notice.term else { return }
        switch note.content {
        case .part(let offset, let total, let bytes):
            receipt.take(offset: offset, total: total, bytes, at: now)
            silentUntil = now + Self.silence
        case .ask, .taken: break
        }
    }

    mutating func turn(_ view: ClusterView?, at now: Instant) -> Turn {
        guard let view, now < min(deadline, silentUntil ?? deadline) else { return .over }
        guard view.raft.term > notice.term, let leader = view.raft.leader else { return .waits }
        guard leader == view.raft.id else { return .over }
        guard !view.heldAddresses.isEmpty else { return .waits }
        if let whole = receipt.whole {
            do throws(DecodingFault) { return .legacy(try Legacy(decoding: whole)) } catch {
                Log.error("vip: the connections of node \(notice.node) can not be read: \(error)")
                return .over
            }
        }
        if let question = receipt.due(at: now) {
            if silentUntil == nil { silentUntil = now + Self.silence }
            say(.ask(holder: view.raft.id, term: view.raft.term, offset: question.offset, count: question.count))
        }
        return .waits
    }

    /// Several times, for datagrams get lost.
    func sayTaken(by view: ClusterView?) {
        guard let view else { return }
        for _ in 0..<3 { say(.taken(holder: view.raft.id)) }
    }

    private func say(_ content: BequestNote.Content) {
        sender.send(BequestNote(node: notice.node, term: notice.term, content).encoded(key: key))
    }
}
