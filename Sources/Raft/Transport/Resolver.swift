import CLinux
import Glibc
import Posix

/// Turns names into addresses on a thread of its own, for getaddrinfo blocks for as long as a name server likes.
package final class Resolver: Sendable {
    package struct Answer: Sendable {
        package var address: String
        /// The first address found, nil when there is none.
        package var resolved: SocketAddress?
        package var problem: String
    }

    private enum Request: Sendable {
        case resolve(String)
        case stop
    }

    private static let capacity = 256
    private let requests: Mailbox<Request>

    /// `deliver` is called on the resolver's thread.
    init(deliver: @escaping @Sendable (Answer) -> Void) throws(SystemError) {
        let requests = try Mailbox<Request>(capacity: Self.capacity)
        self.requests = requests
        let thread = try Thread(name: "resolver", stackBytes: 512 << 10) {
            var poll = pollfd(fd: requests.descriptor, events: Int16(POLLIN), revents: 0)
            while true {
                _ = Glibc.poll(&poll, 1, -1)
                for request in requests.drain() {
                    switch request {
                    case .resolve(let address): deliver(Self.lookUp(address))
                    case .stop: return
                    }
                }
            }
        }
        // A name server may keep it for many seconds.
        thread.detach()
    }

    /// Its thread is not waited for.
    func stop() { requests.post(.stop) }

    /// False when too many wait.
    func resolve(_ address: String) -> Bool { requests.post(.resolve(address)) }

    private static func lookUp(_ address: String) -> Answer {
        guard let colon = address.lastIndex(of: ":"), let port = UInt16(address[address.index(after: colon)...]) else {
            return Answer(address: address, resolved: nil, problem: "not of the form host:port")
        }
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_ADDRCONFIG
        var found: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(String(address[..<colon]), nil, &hints, &found)
        guard code == 0, let first = found else {
            return Answer(address: address, resolved: nil, problem: String(cString: gai_strerror(code)))
        }
        defer { freeaddrinfo(first) }
        var storage = sockaddr_storage()
        withUnsafeMutableBytes(of: &storage) { target in
            target.copyMemory(
                from: UnsafeRawBufferPointer(
                    start: first.pointee.ai_addr, count: min(Int(first.pointee.ai_addrlen), target.count)))
        }
        guard var resolved = SocketAddress(storage) else {
            return Answer(address: address, resolved: nil, problem: "neither IPv4 nor IPv6")
        }
        resolved.port = port
        return Answer(address: address, resolved: resolved, problem: "")
    }
}
