import Posix
import Raft

/// What the nodes agree on as one file: a backup from which a cluster can be begun again.
///
///     gwnode snapshot 1 · lines of `key value` · a line with their checksum · the state
///
/// The head is text, so `head` shows what a file is.
package struct SnapshotArchive: Hashable, Sendable {
    package var cluster: String
    /// When and by which node it was taken.
    package var takenAt: String
    package var takenBy: NodeID
    /// Of the configuration in force.
    package var revision: Revision
    package var keyCount: Int
    package var term: Term
    /// The last entry of the log that the state holds.
    package var index: LogIndex
    /// `ReplicatedState` in its binary form.
    package var state: [UInt8]

    /// Of a whole file: more than the limits of the replicated state add up to.
    package static let byteLimit = 80 << 20
    private static let title = "gwnode snapshot 1"
    private static let headLimit = 4 << 10
    private static let stateBytesKey = "state-bytes"
    private static let stateChecksumKey = "state-checksum"

    package init(
        of state: ReplicatedState, through index: LogIndex, term: Term, cluster: String, by node: NodeID,
        at time: WallTime
    ) {
        self.cluster = cluster
        takenAt = time.description
        takenBy = node
        revision = state.cluster.revision
        keyCount = state.keys.records.count
        self.term = term
        self.index = index
        self.state = state.encoded()
    }

    /// Of the state: two archives with the same one hold the same.
    package var checksum: UInt32 { Checksum.of(state) }

    package func encoded() -> [UInt8] {
        let lines: [SealedText.Line] = [
            .init(key: "cluster", value: cluster),
            .init(key: "taken-at", value: takenAt),
            .init(key: "taken-by", value: "\(takenBy)"),
            .init(key: "revision", value: "\(revision)"),
            .init(key: "keys", value: "\(keyCount)"),
            .init(key: "term", value: "\(term)"),
            .init(key: "index", value: "\(index)"),
            .init(key: Self.stateBytesKey, value: "\(state.count)"),
            .init(key: Self.stateChecksumKey, value: String(checksum, radix: 16)),
        ]
        return SealedText(title: Self.title, lines: lines).encoded() + state
    }

    /// Reads a file; any bytes whatever give an archive whose state is whole, or the reason why not.
    package init(decoding bytes: [UInt8]) throws(Fault) {
        guard bytes.starts(with: "\(Self.title)\n".utf8) else {
            throw Fault("it is no snapshot of gwnode; name a file that `gwnode snapshot save` has written")
        }
        guard let end = Self.endOfHead(bytes) else { throw Fault("its head is damaged; take another copy") }
        let head: SealedText
        do throws(MalformedBytes) {
            head = try SealedText.decode(Array(bytes[..<end]), title: Self.title)
            cluster = try head.value("cluster")
            takenAt = try head.value("taken-at")
        } catch {
            throw Fault("its head is damaged (expected \(error.expected)); take another copy")
        }
        func number(_ key: String) throws(Fault) -> UInt64 {
            guard let text = try? head.value(key), let number = UInt64(text), number <= CodingLimit.largestNumber else {
                throw Fault("its head has no number '\(key)'; take another copy")
            }
            return number
        }
        takenBy = NodeID(try number("taken-by"))
        revision = Revision(try number("revision"))
        keyCount = Int(try number("keys"))
        term = Term(try number("term"))
        index = LogIndex(try number("index"))
        state = Array(bytes[end...])
        let expected = try number(Self.stateBytesKey)
        guard state.count == expected else {
            throw Fault("it is cut off or has grown: \(state.count) bytes of state, not \(expected); take another copy")
        }
        guard (try? head.value(Self.stateChecksumKey)) == String(checksum, radix: 16) else {
            throw Fault("its state is damaged: the checksum is another one; take another copy")
        }
    }

    /// The replicated state in it.
    package func replicatedState() throws(Fault) -> ReplicatedState {
        do throws(DecodingFault) { return try ReplicatedState(decoding: state) } catch {
            throw Fault("its state can not be read (\(error)); is it of a newer gwnode?")
        }
    }

    /// Why a file is no archive, and what would be right.
    package struct Fault: Error, Hashable, Sendable, CustomStringConvertible {
        package let description: String
        init(_ description: String) { self.description = description }
    }

    /// After the line with the checksum, which is the last one of the head.
    private static func endOfHead(_ bytes: [UInt8]) -> Int? {
        let mark = Array("\nchecksum ".utf8)
        let head = bytes.prefix(headLimit)
        guard let start = head.firstRange(of: mark)?.upperBound else { return nil }
        return head[start...].firstIndex(of: 0x0a).map { $0 + 1 }
    }
}
