import Glibc
import Posix

/// Which engine the workers are to use.
package enum EngineChoice: String, CaseIterable, Sendable {
    /// `ioUring` where the kernel has it (from 6.1 on) and allows it, which containers often do not.
    case auto
    case ioUring = "io_uring"
    case epoll

    /// What decides where nothing else does, so that one program can be tested on either engine.
    package static let environmentVariable = "GWNODE_ENGINE"

    /// An engine that this process can have, never `auto`. Asking for `ioUring` where it is not allowed is an error.
    package func resolved() throws(SystemError) -> EngineChoice {
        switch self {
        case .epoll: return .epoll
        case .ioUring:
            if let obstacle = RingEngine.obstacle() { throw obstacle }
            return .ioUring
        case .auto:
            if let named = EngineChoice.named, named != .auto { return try named.resolved() }
            guard let obstacle = RingEngine.obstacle() else { return .ioUring }
            Log.info("proxy: io_uring can not be used, epoll is: \(obstacle)")
            return .epoll
        }
    }

    private static var named: EngineChoice? {
        guard let text = getenv(environmentVariable).map({ String(cString: $0) }) else { return nil }
        guard let choice = EngineChoice(rawValue: text) else {
            Log.warning("\(environmentVariable)=\(text) names no engine; there are auto, io_uring and epoll")
            return nil
        }
        return choice
    }
}
