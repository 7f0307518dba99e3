import Glibc
import Posix
import TLS

/// What one probe of a backend came to.
package enum ProbeResult: Hashable, Sendable, CustomStringConvertible {
    case connected
    case status(Int, isExpected: Bool)
    /// The error number with which connecting or reading failed.
    case failed(Int32)
    /// It accepts connections, but none that can be trusted.
    case notSecured(ServerFault)
    /// This node has nothing to secure connections with, for this reason.
    case unusableFiles(String)
    case timedOut(after: Nanoseconds)
    /// The backend closed the connection before it sent a status line.
    case closedWithoutResponse
    /// What came is not the beginning of an HTTP response.
    case notHTTP
    /// This machine was out of descriptors, ports or memory: says nothing about the backend.
    case inconclusive(Int32)

    /// A system call on a probe's socket that failed with `code`.
    package init(failure code: Int32) {
        switch code {
        case EMFILE, ENFILE, ENOMEM, ENOBUFS, EADDRNOTAVAIL: self = .inconclusive(code)
        case _: self = .failed(code)
        }
    }

    /// nil: the probe counts neither way.
    package var isSuccess: Bool? {
        switch self {
        case .connected: true
        case .status(_, let isExpected): isExpected
        case .failed, .notSecured, .unusableFiles, .timedOut, .closedWithoutResponse, .notHTTP: false
        case .inconclusive: nil
        }
    }

    /// The reason as people read it in the status.
    package var description: String {
        switch self {
        case .connected: "connected"
        case .status(let code, _): "status \(code)"
        case .failed(ECONNREFUSED): "connect refused"
        case .failed(ECONNRESET): "connection reset"
        case .failed(let code), .inconclusive(let code): SystemError.message(for: code).lowercased()
        case .notSecured(let fault): fault.description
        case .unusableFiles(let reason): reason
        case .timedOut(let limit): "timed out after \(limit.count / 1_000_000) ms"
        case .closedWithoutResponse: "closed without a response"
        case .notHTTP: "no HTTP response"
        }
    }
}
