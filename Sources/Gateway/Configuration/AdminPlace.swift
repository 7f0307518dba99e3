import Posix

/// Where an admin API is: `127.0.0.1:8091`, `gw1.example.org:8091` or `unix:/run/gwnode/admin.sock`.
package enum AdminPlace: Hashable, Sendable, CustomStringConvertible {
    case tcp(HostPort)
    /// A socket on the node's own machine.
    case unix(path: String)

    package static let unixPrefix = "unix:"

    package init?(parsing text: String) {
        guard text.hasPrefix(Self.unixPrefix) else {
            guard let address = HostPort(parsing: text) else { return nil }
            self = .tcp(address)
            return
        }
        let path = String(text.dropFirst(Self.unixPrefix.count))
        guard 1...UnixSocket.longestPath ~= path.utf8.count, !path.utf8.contains(0) else { return nil }
        self = .unix(path: path)
    }

    package var description: String {
        switch self {
        case .tcp(let address): address.description
        case .unix(let path): Self.unixPrefix + path
        }
    }

    /// The name or address that a client may put into the Host field; nil for a socket.
    package var host: String? {
        switch self {
        case .tcp(let address): address.host
        case .unix: nil
        }
    }

    /// Nil for a socket, and for a name that has to be resolved.
    package var numericAddress: SocketAddress? {
        switch self {
        case .tcp(let address): address.numericAddress
        case .unix: nil
        }
    }

    /// Whether only this machine reaches it.
    package var isLocal: Bool {
        switch self {
        case .tcp(let address): address.numericAddress?.ip.isLoopback == true
        case .unix: true
        }
    }

}

/// Who may use an admin API on a socket.
package struct AdminSocketRights: Hashable, Sendable {
    /// The permission bits of the socket's file.
    package var mode: UInt32
    /// Names of a user and a group of the system; nil: those of the process.
    package var owner: String?
    package var group: String?

    package init(mode: UInt32 = 0o600, owner: String? = nil, group: String? = nil) {
        self.mode = mode
        self.owner = owner
        self.group = group
    }

    package static let standard = AdminSocketRights()
}

extension Schema where Value == AdminPlace {
    /// Of a peer, which may have a name.
    static var adminEndpoint: Schema {
        endpoint(
            "a host and port such as \"gw1.example.org:8091\", or a socket such as \"unix:/run/gwnode/admin.sock\""
        ) {
            _ in true
        }
    }

    /// Of this node.
    static var ownAdminEndpoint: Schema {
        endpoint("an address and port such as \"127.0.0.1:8091\", or a socket such as \"unix:/run/gwnode/admin.sock\"")
        {
            endpoint in
            switch endpoint {
            case .tcp(let address): address.numericAddress != nil
            case .unix: true
            }
        }
    }

    private static func endpoint(
        _ noun: String, where isRight: @escaping @Sendable (AdminPlace) -> Bool
    ) -> Schema {
        text(noun) { text throws(TextFault) in
            if let endpoint = AdminPlace(parsing: text), isRight(endpoint) { return endpoint }
            if text.utf8.count > AdminPlace.unixPrefix.utf8.count + UnixSocket.longestPath,
                text.hasPrefix(AdminPlace.unixPrefix)
            {
                throw TextFault(
                    wrong: "the path of the socket has \(text.utf8.count - AdminPlace.unixPrefix.utf8.count) bytes",
                    right: "use one of at most \(UnixSocket.longestPath)")
            }
            throw TextFault(wrong: "\(quoted(text)) is no place for an admin API", right: "use \(noun)")
        }
    }

    /// Sockets of the same path are on different machines.
    var distinctAddress: Schema {
        Schema(shape, write: write) { node, reader in
            let value = self.read(node, &reader)
            if case .tcp(let address)? = value { reader.define("\(address)", at: node.offset) }
            return value
        }
    }
}

extension Schema where Value == AdminSocketRights {
    /// The `adminSocket` object of a node file.
    static let adminSocket = object(
        .optional(
            "mode", .fileMode, default: Value.standard.mode, "The permission bits; whoever may write may do all."),
        .optional("owner", .name, "A user of this machine. Left out: the one that gwnode runs as."),
        .optional("group", .name, "A group of this machine, such as \"adm\" with mode \"660\"."),
        make: AdminSocketRights.init)
}

extension Schema where Value == UInt32 {
    /// Three octal digits.
    fileprivate static var fileMode: Schema {
        let noun = "three octal digits such as \"660\""
        return text(noun, write: { quoted(String($0, radix: 8)) }) { text throws(TextFault) in
            guard text.utf8.count == 3, let mode = UInt32(text, radix: 8) else {
                throw TextFault(wrong: "\(quoted(text)) is no mode", right: "use \(noun)")
            }
            return mode
        }
    }
}
