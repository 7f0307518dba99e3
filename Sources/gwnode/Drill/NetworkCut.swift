import Glibc
import Posix

/// Drops what the nodes say to each other at this machine, by nftables. The kernel ends that by itself, should nobody be
/// left to do it.
struct NetworkCut {
    private static let table = "gwnode-drill"
    private static let limitSeconds = 30

    private let program: String

    /// Why nothing was cut.
    struct Failure: Error {
        let reason: String
    }

    init() throws(Failure) {
        let places = ["/usr/sbin/nft", "/usr/bin/nft", "/sbin/nft", "/bin/nft"]
        guard let program = places.first(where: { Glibc.access($0, X_OK) == 0 }) else {
            throw Failure(reason: "cut needs the program nft (package nftables)")
        }
        self.program = program
        // Only who may change rules may list them.
        try run("list tables")
    }

    /// - Parameter ports: Those on which nodes hear each other, by TCP and UDP.
    func begin(_ ports: Set<UInt16>) throws(Failure) {
        mend()
        let elements = ports.sorted().map { "\($0) timeout \(Self.limitSeconds)s" }.joined(separator: ", ")
        let rules = ["sport", "dport"].map { "meta l4proto { tcp, udp } th \($0) @cut drop;" }.joined(separator: " ")
        let chains = ["input", "output"].map { "chain \($0) { type filter hook \($0) priority -300; \(rules) };" }
        let set = "set cut { type inet_service; flags timeout; elements = { \(elements) }; };"
        try run("table inet \(Self.table) { \(set) \(chains.joined(separator: " ")) }")
    }

    /// Nothing where nothing is cut.
    func mend() { try? run("delete table inet \(Self.table)") }

    private func run(_ command: String) throws(Failure) {
        let run: CapturedProcess
        do throws(SystemError) { run = try CapturedProcess(program, [command], keeping: 4096) } catch {
            throw Failure(reason: "\(error)")
        }
        while run.descriptor >= 0 {
            var waiting = pollfd(fd: run.descriptor, events: Int16(POLLIN), revents: 0)
            _ = poll(&waiting, 1, -1)
            run.read()
        }
        guard run.process.wait() != .exited(status: 0) else { return }
        let said =
            String(decoding: run.output, as: UTF8.self).split(separator: "\n").first.map(String.init) ?? "no reason"
        throw Failure(
            reason: "cut needs CAP_NET_ADMIN and a kernel with nftables: nft says \(Terminal.printable(said))")
    }
}
