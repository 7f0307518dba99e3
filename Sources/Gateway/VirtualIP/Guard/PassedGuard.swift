import CLinux
import Glibc
import Posix

/// What a gateway knows of its guard, for the next process of the node, which goes on with the same one.
package struct GuardWatch: Hashable, Sendable, BinaryCodable {
    /// Of the last order.
    package var sequence: UInt64
    package var state: GuardReport.State
    package var identity: GuardIdentity

    package init(sequence: UInt64, state: GuardReport.State, identity: GuardIdentity) {
        self.sequence = sequence
        self.state = state
        self.identity = identity
    }

    init(from reader: inout BinaryReader) throws(DecodingFault) {
        sequence = try reader.read()
        let report = try GuardReport(decoding: reader.readBytes("report", limit: GuardOrder.Limit.bytes))
        guard case .state(let state) = report else { throw .invalid(what: "report", offset: reader.offset) }
        self.state = state
        identity = try GuardIdentity(from: &reader)
    }

    func write(to writer: inout BinaryWriter) {
        writer.write(sequence)
        writer.write(bytes: GuardReport.state(state).encoded())
        identity.write(to: &writer)
    }
}

extension GuardIdentity: BinaryCodable {
    init(from reader: inout BinaryReader) throws(DecodingFault) {
        self.init(
            pid: try reader.read(),
            version: try reader.readText("version of the guard", limit: NodeReport.Limit.versionBytes))
    }

    func write(to writer: inout BinaryWriter) {
        writer.write(pid)
        writer.write(version)
    }
}

/// The same with descriptors, which are the taker's.
package struct PassedGuard: Sendable {
    package var watch: GuardWatch
    /// Of the connection to the guard.
    package var channel: Int32
    /// Of the guard's process.
    package var process: Int32
    /// Of the `InterfaceClaim`.
    package var claim: Int32

    /// In this order.
    package var descriptors: [Int32] { [channel, process, claim] }
    package static let descriptorCount = 3

    init(watch: GuardWatch, channel: Int32, process: Int32, claim: Int32) {
        self.watch = watch
        self.channel = channel
        self.process = process
        self.claim = claim
    }

    /// Nil when there are more or fewer `descriptors` than that.
    package init?(_ watch: GuardWatch, _ descriptors: ArraySlice<Int32>) {
        guard descriptors.count == Self.descriptorCount else { return nil }
        let all = Array(descriptors)
        self.init(watch: watch, channel: all[0], process: all[1], claim: all[2])
    }
}

/// A guard's process.
enum GuardHandle: Sendable {
    case child(ChildProcess)
    /// Started by a former process of this node.
    case adopted(ProcessHandle)

    func signal(_ number: Int32) {
        switch self {
        case .child(let process): process.signal(number)
        case .adopted(let process): process.signal(number)
        }
    }

    /// Of the kernel's handle on the process; nil when there is none.
    var copiedDescriptor: Int32? {
        let raw: Int32
        switch self {
        case .child(let process): raw = clinux_pidfd_open(process.pid)
        case .adopted(let process): raw = FileDescriptor.copy(of: process.raw)
        }
        return raw >= 0 ? raw : nil
    }

    /// How it ended. A guard that lost its gateway has little left to do; one that does not end within `limit` is stopped
    /// or hangs, and is killed.
    func awaitEnd(_ limit: Nanoseconds) -> String {
        let deadline = Instant.now() + limit
        switch self {
        case .child(let process):
            while Instant.now() < deadline {
                if let end = process.poll() { return "\(end)" }
                _ = poll(nil, 0, 1)
            }
            process.signal(SIGKILL)
            return "\(process.wait())"
        case .adopted(let process):
            if !process.hasEnded(by: deadline) {
                process.signal(SIGKILL)
                _ = process.hasEnded(by: .distantFuture)
            }
            return "an end that only its parent knows"
        }
    }
}
