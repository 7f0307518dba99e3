/// What the two ends of a connection tell each other before anything else.
///
/// The end that dialled says hello; the other welcomes it, or refuses it with a reason and closes. Raft's messages
/// flow only from the end that dialled.
package struct Hello: Hashable, Sendable {
    package static let clusterNameBytes = 128
    static let magic: UInt64 = 0x3154_4652_5747_5721  // "!WGWRFT1" on the wire
    package static let version: UInt16 = 1

    package var version = Hello.version
    package var cluster: String
    package var from: NodeID
    package var to: NodeID
    package var incarnation: UInt64
    package var lane: Message.Lane

    package init(cluster: String, from: NodeID, to: NodeID, incarnation: UInt64, lane: Message.Lane) {
        self.cluster = cluster
        self.from = from
        self.to = to
        self.incarnation = incarnation
        self.lane = lane
    }
}

/// "You are talking to this node."
package struct Welcome: Hashable, Sendable {
    package var from: NodeID
    package var incarnation: UInt64

    package init(from: NodeID, incarnation: UInt64) {
        self.from = from
        self.incarnation = incarnation
    }
}

/// The body of a frame.
package enum FrameBody: Hashable, Sendable {
    case hello(Hello)
    case welcome(Welcome)
    /// Why the connection is about to be closed, for the log of the end that dialled.
    case refusal(String)
    /// The end that dialled was a member and is none any more; it comes in place of a welcome.
    case removed
    /// What a node publishes about itself; opaque to Raft.
    case info([UInt8])
    case message(Message)
    /// What a host tells the host of this one node; opaque to Raft.
    case note([UInt8])

    package static let infoLimit = 64 << 10
    package static let noteLimit = 1 << 20
    static let refusalLimit = 512
}

extension FrameBody {
    /// The whole frame, ready to be sent.
    package func encoded() -> [UInt8] {
        Frame.wrap { writer in
            switch self {
            case .hello(let hello):
                writer.append(UInt8(1))
                writer.append(Hello.magic)
                writer.append(hello.version)
                writer.append(UInt8(hello.lane == .control ? 0 : 1))
                writer.append(hello.from)
                writer.append(hello.to)
                writer.append(hello.incarnation)
                writer.append(lengthPrefixed: hello.cluster.utf8)
            case .welcome(let welcome):
                writer.append(UInt8(2))
                writer.append(welcome.from)
                writer.append(welcome.incarnation)
            case .refusal(let reason):
                writer.append(UInt8(3))
                writer.append(
                    lengthPrefixed: String(decoding: reason.utf8.prefix(Self.refusalLimit - 4), as: UTF8.self).utf8)
            case .info(let blob):
                writer.append(UInt8(4))
                writer.append(lengthPrefixed: blob)
            case .message(let message):
                writer.append(UInt8(5))
                writer.append(message)
            case .removed:
                writer.append(UInt8(6))
            case .note(let note):
                writer.append(UInt8(7))
                writer.append(lengthPrefixed: note)
            }
        }
    }

    package static func decode(_ bytes: [UInt8]) throws(MalformedBytes) -> FrameBody {
        var reader = ByteReader(bytes)
        let body: FrameBody
        switch try reader.readUInt8() {
        case 1: body = .hello(try reader.readHello())
        case 2: body = .welcome(Welcome(from: try reader.readNodeID(), incarnation: try reader.readUInt64()))
        case 3: body = .refusal(try reader.readText(upTo: refusalLimit))
        case 4: body = .info(try reader.readLengthPrefixed(upTo: infoLimit))
        case 5: body = .message(try reader.readMessage())
        case 6: body = .removed
        case 7: body = .note(try reader.readLengthPrefixed(upTo: noteLimit))
        case let kind: throw MalformedBytes(at: 0, expected: "a frame kind from 1 to 7, not \(kind)")
        }
        try reader.expectEnd()
        return body
    }
}

extension ByteReader {
    fileprivate mutating func readHello() throws(MalformedBytes) -> Hello {
        guard try readUInt64() == Hello.magic else {
            throw MalformedBytes(at: offset - 8, expected: "the greeting of a gwnode")
        }
        let version = try readUInt16()
        // Fields may differ in another version; only this much is fixed for all of them.
        guard version == Hello.version else {
            throw MalformedBytes(at: offset - 2, expected: "protocol version \(Hello.version), not \(version)")
        }
        let isBulk = try readBool()
        let from = try readNodeID()
        let to = try readNodeID()
        let incarnation = try readUInt64()
        let cluster = try readText(upTo: Hello.clusterNameBytes)
        return Hello(cluster: cluster, from: from, to: to, incarnation: incarnation, lane: isBulk ? .bulk : .control)
    }
}
