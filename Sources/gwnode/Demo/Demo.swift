import FoundationEssentials
import Gateway
import Glibc
import Posix

/// `gwnode demo`: a three-node cluster with sample backends on this machine, to try things on.
enum Demo {
    private static let startLimit = Nanoseconds.seconds(15)
    private static let pollMilliseconds: Int32 = 200

    /// Runs until ^C.
    static func start(directory: String?, basePort: UInt16) throws(CommandFailure) -> ExitCode {
        do throws(DemoFailure) {
            try run(directory: directory, basePort: basePort)
            return .success
        } catch {
            throw CommandFailure(.failure, error.description)
        }
    }

    private static func run(directory: String?, basePort: UInt16) throws(DemoFailure) {
        let signals = try stopSignals()
        let isTemporary = directory == nil
        let folder = if let directory { directory } else { try temporaryDirectory() }
        let layout = DemoLayout(directory: folder, basePort: basePort)
        if let occupied = layout.occupiedAddress() {
            throw DemoFailure("\(occupied); stop what listens there or choose other ports with --base-port N")
        }
        try layout.writeFiles(from: DemoLayout.shippedFiles())
        guard let binary = executablePath() else { throw DemoFailure("cannot read /proc/self/exe") }

        var processes = DemoProcesses(layout: layout, binary: binary)
        defer {
            Terminal.write("stopping\n")
            processes.stopAll()
            if isTemporary { try? FileManager.default.removeItem(atPath: layout.directory) }
        }
        try processes.startAll()
        guard let status = try waitUntilServing(layout, &processes, signals) else { return }
        Terminal.write(DemoText.introduction(layout, processes, status))

        let cluster = layout.client
        var events = DemoEvents()
        _ = events.lines(for: status)
        while !stopRequested(signals, waitMilliseconds: pollMilliseconds) {
            for line in processes.ended() { tell(line) }
            guard let status = try? cluster.status(.stale) else { continue }
            for line in events.lines(for: status) { tell(line) }
        }
    }

    /// nil when the user stopped the demo while it started.
    private static func waitUntilServing(
        _ layout: DemoLayout, _ processes: inout DemoProcesses, _ signals: borrowing SignalDescriptor
    ) throws(DemoFailure) -> StatusDocument? {
        Terminal.write("starting three nodes and three backends in \(layout.directory)\n")
        let deadline = Instant.now() + startLimit
        while Instant.now() < deadline {
            if stopRequested(signals, waitMilliseconds: 50) { return nil }
            if let ended = processes.ended().first {
                throw DemoFailure("\(ended); its log is in \(layout.directory)")
            }
            guard let status = try? layout.client.status(.stale) else { continue }
            let isHeld = status.virtualAddresses.contains { $0.holder != nil }
            if isHeld && status.nodes.allSatisfy(\.alive) { return status }
        }
        throw DemoFailure("the cluster did not come up within \(startLimit); see the logs in \(layout.directory)")
    }

    private static func stopSignals() throws(DemoFailure) -> SignalDescriptor {
        do throws(SystemError) { return try SignalDescriptor([SIGINT, SIGTERM, SIGHUP]) } catch {
            throw DemoFailure("\(error)")
        }
    }

    private static func stopRequested(_ signals: borrowing SignalDescriptor, waitMilliseconds: Int32) -> Bool {
        var waiting = pollfd(fd: signals.raw, events: Int16(POLLIN), revents: 0)
        return poll(&waiting, 1, waitMilliseconds) > 0 && signals.next() != nil
    }

    private static func temporaryDirectory() throws(DemoFailure) -> String {
        var template = Array("/tmp/gwnode-demo-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw DemoFailure("\(SystemError("mkdtemp", "/tmp"))") }
        return template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    }

    private static func tell(_ line: String) { Terminal.write("\(WallTime.now())  \(line)\n") }
}
