import Posix

/// What a TCP header says (RFC 9293, section 3.1), without its checksum.
package struct TCPSegment: Hashable, Sendable {
    package struct Flags: OptionSet, Hashable, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }
        package static let fin = Flags(rawValue: 0x01)
        package static let syn = Flags(rawValue: 0x02)
        package static let reset = Flags(rawValue: 0x04)
        package static let acknowledgement = Flags(rawValue: 0x10)
    }

    /// Of RFC 7323, section 3.
    package struct Timestamps: Hashable, Sendable {
        package var value: UInt32
        package var echo: UInt32

        package init(value: UInt32, echo: UInt32) {
            self.value = value
            self.echo = echo
        }
    }

    private enum Option {
        static let end: UInt8 = 0
        static let noOperation: UInt8 = 1
        static let timestamps: UInt8 = 8
    }

    private static let headerBytes = 20
    private static let tcp: UInt8 = 6

    package var sourcePort: UInt16
    package var destinationPort: UInt16
    package var sequence: UInt32
    package var acknowledgement: UInt32
    package var flags: Flags
    /// As it is on the wire, before scaling.
    package var window: UInt16
    package var timestamps: Timestamps?
    package var payloadCount: Int

    package init(
        from sourcePort: UInt16, to destinationPort: UInt16, sequence: UInt32, acknowledgement: UInt32,
        flags: Flags = .acknowledgement, window: UInt16 = .max, timestamps: Timestamps? = nil, payloadCount: Int = 0
    ) {
        self.sourcePort = sourcePort
        self.destinationPort = destinationPort
        self.sequence = sequence
        self.acknowledgement = acknowledgement
        self.flags = flags
        self.window = window
        self.timestamps = timestamps
        self.payloadCount = payloadCount
    }

    /// What its client answers with its present sequence numbers, whatever they are. Of a connection that was at rest that
    /// is a byte before those that it still expects, which it therefore drops (RFC 9293, section 3.10.7.4); systems limit
    /// answers to segments without any byte. Of another one no number is known that a client certainly drops: it gets a
    /// SYN, which is never taken, and answered but twice a second or so (RFC 5961, section 4.2).
    package init(asking record: ConnectionRecord) {
        let (source, destination) = (record.local.port, record.peer.port)
        if let rest = record.rest {
            self.init(
                from: source, to: destination, sequence: rest.sendSequence &- 1, acknowledgement: rest.receiveSequence,
                timestamps: rest.options.timestamp.map { Timestamps(value: $0, echo: 0) }, payloadCount: 1)
        } else {
            self.init(from: source, to: destination, sequence: 0, acknowledgement: 0, flags: .syn)
        }
    }

    /// Reads a segment of `total` bytes whose beginning is `bytes`. Nil for what is none.
    package init?(parsing bytes: ArraySlice<UInt8>, total: Int) {
        guard bytes.count >= Self.headerBytes else { return nil }
        let start = bytes.startIndex
        func number(_ place: Int) -> UInt16 { UInt16(bytes[start + place]) << 8 | UInt16(bytes[start + place + 1]) }
        func word(_ place: Int) -> UInt32 { UInt32(number(place)) << 16 | UInt32(number(place + 2)) }
        let headerCount = Int(bytes[start + 12] >> 4) * 4
        guard headerCount >= Self.headerBytes, headerCount <= bytes.count, headerCount <= total else { return nil }
        self.init(
            from: number(0), to: number(2), sequence: word(4), acknowledgement: word(8),
            flags: Flags(rawValue: bytes[start + 13]), window: number(14), payloadCount: total - headerCount)
        var place = Self.headerBytes
        while place < headerCount, bytes[start + place] != Option.end {
            if bytes[start + place] == Option.noOperation {
                place += 1
                continue
            }
            guard place + 1 < headerCount else { return nil }
            let count = Int(bytes[start + place + 1])
            guard count >= 2, place + count <= headerCount else { return nil }
            if bytes[start + place] == Option.timestamps, count == 10 {
                timestamps = Timestamps(value: word(place + 2), echo: word(place + 6))
            }
            place += count
        }
    }

    /// The segment with its checksum, and zeros as its payload.
    package func encoded(from source: IPAddress, to destination: IPAddress) -> [UInt8] {
        let optionBytes = timestamps == nil ? 0 : 12
        let count = Self.headerBytes + optionBytes + payloadCount
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count + 1)
        func append(_ number: some FixedWidthInteger) { withUnsafeBytes(of: number.bigEndian) { bytes += $0 } }
        append(sourcePort)
        append(destinationPort)
        append(sequence)
        append(acknowledgement)
        append(UInt8((Self.headerBytes + optionBytes) / 4) << 4)
        append(flags.rawValue)
        append(window)
        append(UInt32(0))
        if let timestamps {
            bytes += [Option.noOperation, Option.noOperation, Option.timestamps, 10]
            append(timestamps.value)
            append(timestamps.echo)
        }
        bytes += [UInt8](repeating: 0, count: payloadCount)
        let pseudoHeader =
            source.networkBytes + destination.networkBytes + [0, Self.tcp, UInt8(count >> 8), UInt8(count & 0xff)]
        let padding: [UInt8] = count % 2 == 0 ? [] : [0]
        let sum = Announcement.internetChecksum(pseudoHeader + bytes + padding)
        bytes[16] = UInt8(sum >> 8)
        bytes[17] = UInt8(truncatingIfNeeded: sum)
        return bytes
    }
}
