/// What a kernel has to know of an established TCP connection to go on with it in place of another kernel.
///
/// Taken by `RepairedSocket.capture` and brought back to life by `RepairedSocket.restore`. Sequence numbers are those
/// of RFC 9293, and go round.
package struct TCPConnectionImage: Hashable, Sendable {
    /// Bytes of either direction that are carried along; a connection with more is not moved.
    package static let queueLimit = 1 << 20

    /// What the two ends agreed on in their handshake.
    package struct Options: Hashable, Sendable {
        package var maximumSegmentSize: UInt32
        /// Nil where window scaling (RFC 7323) was not agreed on.
        package var windowScales: WindowScales?
        package var hasSelectiveAcknowledgements: Bool
        /// Our clock for time stamps (RFC 7323) as it stood at the capture; nil where there are none.
        package var timestamp: UInt32?

        package init(
            maximumSegmentSize: UInt32, windowScales: WindowScales?, hasSelectiveAcknowledgements: Bool,
            timestamp: UInt32?
        ) {
            self.maximumSegmentSize = maximumSegmentSize
            self.windowScales = windowScales
            self.hasSelectiveAcknowledgements = hasSelectiveAcknowledgements
            self.timestamp = timestamp
        }
    }

    /// Shifts of the windows that are sent and received, 0 to 14.
    package struct WindowScales: Hashable, Sendable {
        package var sending: UInt8
        package var receiving: UInt8

        package init(sending: UInt8, receiving: UInt8) {
            self.sending = sending
            self.receiving = receiving
        }
    }

    /// As `struct tcp_repair_window` of the kernel names them.
    package struct Windows: Hashable, Sendable {
        package var sendWL1: UInt32
        package var send: UInt32
        package var largest: UInt32
        package var receive: UInt32
        package var receiveUpdatedAt: UInt32

        package init(sendWL1: UInt32, send: UInt32, largest: UInt32, receive: UInt32, receiveUpdatedAt: UInt32) {
            self.sendWL1 = sendWL1
            self.send = send
            self.largest = largest
            self.receive = receive
            self.receiveUpdatedAt = receiveUpdatedAt
        }
    }

    package var local: SocketAddress
    package var peer: SocketAddress
    package var options: Options
    package var windows: Windows
    /// Of the first byte of `unacknowledged`.
    package var sendSequence: UInt32
    package var unacknowledged: [UInt8]
    /// How many bytes at the end of `unacknowledged` were never sent.
    package var unsentCount: Int
    /// Of the first byte of `unread`.
    package var receiveSequence: UInt32
    /// What the peer knows to have arrived and no program has used.
    package var unread: [UInt8]

    package init(
        local: SocketAddress, peer: SocketAddress, options: Options, windows: Windows, sendSequence: UInt32,
        unacknowledged: [UInt8], unsentCount: Int, receiveSequence: UInt32, unread: [UInt8]
    ) {
        self.local = local
        self.peer = peer
        self.options = options
        self.windows = windows
        self.sendSequence = sendSequence
        self.unacknowledged = unacknowledged
        self.unsentCount = unsentCount
        self.receiveSequence = receiveSequence
        self.unread = unread
    }

    /// Puts bytes that a program took from the socket, and did not use, back in front of the others.
    package mutating func putBack(_ bytes: [UInt8]) {
        unread = bytes + unread
        receiveSequence &-= UInt32(bytes.count)
    }
}
