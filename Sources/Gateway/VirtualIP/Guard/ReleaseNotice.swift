import Posix
import Raft

/// A guard's word to the other nodes that its node answers on no virtual address in `term` any more.
package struct ReleaseNotice: Hashable, Sendable {
    package enum Cause: UInt8, Hashable, Sendable {
        /// The gateway's process has ended, and everything that it did by its lease with it.
        case processGone = 1
        /// The lease ran out at the guard. The gateway may still run, and believe in a longer lease.
        case leaseExpired = 2
        /// The process that began as `boot` has ended, and what the leader had lent it is off the machine. Says nothing of
        /// any leader's lease.
        case borrowerGone = 3
    }

    package var node: NodeID
    package var term: Term
    package var cause: Cause
    /// Open connections that the next holder can ask the sender for; more than 0 as long as there may be any.
    package var connections: UInt32
    /// 0 unless something was lent.
    package var boot: UInt64

    package init(node: NodeID, term: Term, cause: Cause, connections: UInt32 = 0, boot: UInt64 = 0) {
        self.node = node
        self.term = term
        self.cause = cause
        self.connections = connections
        self.boot = boot
    }

    package static let byteCount = 1 + 8 + 8 + 1 + 4 + 8 + 8
    private static let formatVersion: UInt8 = 3

    package func encoded(key: NoticeKey) -> [UInt8] {
        var writer = BinaryWriter()
        writer.write(Self.formatVersion)
        writer.write(node.number)
        writer.write(term.number)
        writer.write(cause.rawValue)
        writer.write(connections)
        writer.write(boot)
        writer.write(SipHash.hash(writer.bytes, key: key))
        return writer.bytes
    }

    /// Nil unless it is whole and signed with the key of the node that it names.
    package init?(_ bytes: [UInt8], key: (NodeID) -> NoticeKey?) {
        var reader = BinaryReader(bytes)
        do throws(DecodingFault) {
            try reader.expectVersion(Self.formatVersion)
            node = NodeID(try reader.read())
            term = Term(try reader.read())
            guard let cause = Cause(rawValue: try reader.read()) else { return nil }
            self.cause = cause
            connections = try reader.read()
            boot = try reader.read()
            let signature = try reader.read(UInt64.self)
            try reader.finish()
            guard let key = key(node), SipHash.hash(Array(bytes.dropLast(8)), key: key) == signature else { return nil }
        } catch { return nil }
    }
}

/// Decides what a guard tells the other nodes, and when: datagrams get lost, so a notice is sent several times.
package struct NoticeSchedule: Hashable, Sendable {
    /// When a notice is sent, counted from the release.
    package static let offsets: [Nanoseconds] = [
        .zero, .milliseconds(2), .milliseconds(6), .milliseconds(14), .milliseconds(30), .milliseconds(60),
    ]

    private var pending: Pending?
    /// The term in which this node holds addresses, or held them without having been told to give them up.
    private var term: Term?
    private var isExpiryTold = false

    private struct Pending: Hashable, Sendable {
        var term: Term
        var cause: ReleaseNotice.Cause
        var since: Instant
        var sent = 0
    }

    package init() {}

    /// When `due` has something at the earliest.
    package var nextDeadline: Instant { pending.map { $0.since + Self.offsets[$0.sent] } ?? .distantFuture }

    /// To be called after each turn. `holds`: the guard holds addresses. `lease`: the term of the lease that the
    /// gateway last passed on. `isGone`: the gateway's process has ended.
    package mutating func note(holds: Bool, lease: Term?, isGone: Bool, now: Instant) {
        if holds, lease != term {
            term = lease
            isExpiryTold = false
        }
        guard !holds, let term else { return }
        if isGone {
            pending = Pending(term: term, cause: .processGone, since: now)
            self.term = nil
        } else if lease == nil {
            // The gateway gives the lease back, and tells the others itself.
            self.term = nil
        } else if !isExpiryTold {
            isExpiryTold = true
            pending = Pending(term: term, cause: .leaseExpired, since: now)
        }
    }

    /// What is to be sent now.
    package mutating func due(at now: Instant) -> (term: Term, cause: ReleaseNotice.Cause)? {
        guard var pending, now >= nextDeadline else { return nil }
        pending.sent += 1
        self.pending = pending.sent < Self.offsets.count ? pending : nil
        return (pending.term, pending.cause)
    }
}
