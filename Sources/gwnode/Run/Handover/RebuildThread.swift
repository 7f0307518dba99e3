import Gateway
import Posix
import Raft

/// What the thread of `ConnectionRebuilder` holds, and what it does with each message.
struct RebuildThread: ~Copyable {
    private let workers: WorkerPool
    private let tally: RebuildTally
    private let mute: ResetMute?
    private var connections = SharedConnections()
    private var turnover = AddressTurnover()
    private var bequests = UnsettledBequests()
    private(set) var endings = EndingRun()
    private var send: ConnectionRebuilder.Send = { _, _ in }

    init(mute: ResetMute?, workers: WorkerPool, tally: RebuildTally) {
        self.mute = mute
        self.workers = workers
        self.tally = tally
    }

    /// When `turn` is due, whatever is heard.
    var nextDeadline: Instant? { [bequests.deadline, endings.nextDeadline].compactMap(\.self).min() }

    /// To be called after the messages: what is due by now.
    mutating func turn() {
        end(bequests.expire(at: .now()))
        endings.turn()
        tally.known(connections.resting)
    }

    mutating func shared(_ bytes: [UInt8], by node: NodeID) {
        let records = records(bytes, of: node)
        take(records, from: node)
        forsake(turnover.concede(records.lazy.map(\.local.ip)), for: node)
    }

    mutating func moved(_ offer: HandoverOffer, by node: NodeID) {
        connections.forget(to: Set(offer.addresses))
        take(offer.left, from: node)
    }

    /// Ends those that do not go on here, where the addresses are.
    mutating func forsaken(_ bytes: [UInt8], by node: NodeID) {
        let records = records(bytes, of: node).filter { turnover.held.contains($0.local.ip) }
        let present = Set(ConnectionCensus.knownFlows(to: Set(records.map(\.local.ip))))
        let absent = records.filter { !present.contains($0.flow) }
        if absent.isEmpty { return }
        tell(absent)
        Log.info("vip: \(absent.count) connections that another node had to drop have ended")
    }

    mutating func take(_ records: [ConnectionRecord], from node: NodeID) {
        tally.refused(connections.take(records, from: node, at: .now()))
    }

    mutating func stayed(at addresses: Set<IPAddress>) { connections.forget(to: addresses) }

    mutating func bequeathed(by node: NodeID) { connections.bequeath(from: node) }

    mutating func inherited(_ flows: Set<ConnectionRecord.Flow>, ended: [ConnectionRecord.Flow]) {
        end(bequests.settle(goingOn: flows, ended: ended.filter { turnover.held.contains($0.local.ip) }))
    }

    func leaderless() { mute?.mute(connections.addresses) }

    /// Goes on with the connections to addresses that are new here.
    mutating func hold(_ addresses: Set<IPAddress>, send: @escaping ConnectionRebuilder.Send) {
        self.send = send
        let gained = turnover.hold(addresses)
        endings.keep(to: addresses)
        let taken = connections.take(to: gained, at: .now())
        rebuild(taken.records)
        bequests.add(taken.bequeathed, at: .now())
    }

    func stop() { mute?.unmute() }

    /// The guard of the gateway that had them resets those that it knows, once, and resets get lost.
    private mutating func end(_ records: [ConnectionRecord]) {
        if records.isEmpty { return }
        tell(records)
        Log.info("vip: \(records.count) connections of a killed gateway have ended")
    }

    /// Has their clients learn that they ended.
    private mutating func tell(_ records: [ConnectionRecord]) {
        mute?.unmute()
        endings.add(records)
    }

    /// Drops connections to addresses that `node` has now. It is told of all that are dropped: of young ones, and of those
    /// that were busy in a move, it knows nothing.
    private func forsake(_ addresses: Set<IPAddress>, for node: NodeID) {
        if addresses.isEmpty { return }
        for records in ConnectionRecords.notes(of: ConnectionCensus.knownFlows(to: addresses)) {
            send(.forsaken(records.encoded()), node)
        }
        workers.forsake(addresses)
    }

    private mutating func rebuild(_ records: [ConnectionRecord]) {
        if records.isEmpty { return }
        let began = Instant.now()
        mute?.mute(Set(records.map(\.local.ip)))
        var run = RebuildRun(records, workers: workers)
        run.finish(&endings) { [mute] in mute?.unmute() }
        tally.add(run.outcome)
        Log.info(
            "vip: of \(records.count) connections of the former holder's clients \(run.outcome.restored) go on, "
                + "\(run.outcome.ended) ended and \(run.outcome.gone) were gone, after \(Instant.now() - began)")
    }

    private func records(_ bytes: [UInt8], of node: NodeID) -> [ConnectionRecord] {
        do throws(DecodingFault) { return try ConnectionRecords(decoding: bytes).records } catch {
            Log.debug("vip: what node \(node) shares of its connections can not be read: \(error)")
            return []
        }
    }
}

extension ResetMute {
    /// Longer than a rebuild.
    private static let time = Nanoseconds.milliseconds(1500)

    fileprivate func mute(_ addresses: Set<IPAddress>) {
        if addresses.isEmpty { return }
        do throws(SystemError) { try begin(Array(addresses), for: Self.time) } catch { Log.warning("vip: \(error)") }
    }

    fileprivate func unmute() {
        do throws(SystemError) { try end() } catch { Log.warning("vip: \(error)") }
    }
}
