import Glibc

/// A Unix address without a file, which is free again when the socket that has it is closed.
package struct AbstractAddress {
    private let name: String

    /// `name` has to fit into 107 bytes.
    package init(_ name: String) { self.name = name }

    /// Calls `body` with what bind(2) and connect(2) take.
    package func with<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = [0] + Array(name.utf8)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
        }
    }
}
