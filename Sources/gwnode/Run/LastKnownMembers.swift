import Gateway
import Glibc
import Posix
import Raft

/// Where the other members were reached last, kept beside the log. The node file need not list those who joined later,
/// and after a restart of all nodes nobody can be asked before they have found each other.
struct LastKnownMembers {
    private static let title = "gwnode members 1"
    private static let byteLimit = 64 << 10

    private let path: String

    init(dataDirectory: String) { path = "\(dataDirectory)/last-known-members" }

    /// Empty when nothing is kept or it can not be read: the node file is enough to begin with.
    func load() -> [PeerAddress] {
        guard access(path, F_OK) == 0 else { return [] }
        do {
            let text = try SealedText.decode(readFile(path, limit: Self.byteLimit), title: Self.title)
            return text.lines.compactMap { line in
                guard let id = UInt64(line.key), id > 0, HostPort(parsing: line.value) != nil else { return nil }
                return PeerAddress(id: NodeID(id), address: line.value)
            }
        } catch {
            Log.warning("members: \(path) is not used: \(error)")
            return []
        }
    }

    func save(_ members: [PeerAddress]) {
        let lines = members.map { SealedText.Line(key: "\($0.id)", value: $0.address) }
        do throws(SystemError) {
            try replaceFile(path, with: SealedText(title: Self.title, lines: lines).encoded())
        } catch {
            Log.warning("members: where they are is not kept: \(error)")
        }
    }
}
