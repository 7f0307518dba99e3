import Gateway
import Glibc
import Posix

/// The process that is to take this one's place, as this one sees it.
final class Successor {
    /// The first argument of the program; the node file is the second.
    static let command = "take-over"

    /// What has come from it.
    enum Word {
        case message(UpgradeMessage)
        case nothing
        case end
        case unreadable
    }

    private static let endLimit = Nanoseconds.seconds(5)

    private let channel: DescriptorChannel
    /// Ends as soon as it has started the process proper, which is no child of this one: whoever watches over services
    /// has to be told when that ends.
    private let starter: ChildProcess
    private(set) var pid: pid_t?
    private var process: ProcessHandle?

    init(program: String, configPath: String) throws(SystemError) {
        let ends = try DescriptorChannel.pair()
        channel = ends.near
        starter = try ChildProcess(program, [Self.command, configPath], input: ends.far.raw)
    }

    func receive(until deadline: Instant) -> Word {
        switch channel.receive(until: deadline) {
        case .nothing: return .nothing
        case .end: return .end
        case .datagram(let bytes, let descriptors):
            for descriptor in descriptors { close(descriptor) }
            do throws(DecodingFault) {
                let message = try UpgradeMessage(decoding: bytes)
                if case .hello(let pid) = message, process == nil {
                    self.pid = pid
                    process = ProcessHandle(pid: pid)
                    if process == nil { return .end }
                }
                return .message(message)
            } catch { return .unreadable }
        }
    }

    /// The descriptors stay the caller's.
    func send(_ message: UpgradeMessage, _ descriptors: [Int32] = []) -> Bool {
        channel.send(message.encoded(), descriptors)
    }

    /// How the process ended that has not said who it is.
    var end: String {
        if process != nil { return "it ended" }
        let deadline = Instant.now() + .seconds(1)
        while Instant.now() < deadline {
            switch starter.poll() {
            case .exited(status: 0): return "it ended"
            case let end?: return "it ended with \(end)"
            case nil: _ = poll(nil, 0, 1)
            }
        }
        return "it does not speak"
    }

    /// Returns when it has ended; false if it does not, so that nothing of it may be given to another.
    func kill() -> Bool {
        if let process {
            process.signal(SIGKILL)
            return process.hasEnded(by: .now() + Self.endLimit)
        }
        starter.signalGroup(SIGKILL)
        _ = starter.wait()
        return true
    }
}
