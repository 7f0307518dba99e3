import Posix

/// Writes the header of a connection to a backend.
package enum ProxyHeaderWriter {
    /// The longest that is written.
    package static let longest = 107

    /// The header of a connection for `client`, which is connected to `server`, an address of ours.
    /// - Returns: how many bytes were written into `target`, which has room for `longest`.
    package static func write(
        _ version: ProxyHeaderVersion, client: SocketAddress, server: SocketAddress,
        into target: UnsafeMutableRawBufferPointer
    ) -> Int {
        precondition(target.count >= longest, "room for the longest header")
        var output = HeadOutput(target)
        // A header has one family for both ends; IPv6 can name IPv4 addresses too.
        let isIPv4 = client.ip.isIPv4 && server.ip.isIPv4
        switch version {
        case .v1: writeLine(client, server, isIPv4, &output)
        case .v2: writeBinary(client, server, isIPv4, &output)
        }
        guard let count = output.count else { preconditionFailure("there is room for the longest header") }
        return count
    }

    /// The header of a connection of our own, as health checks make them.
    package static func own(_ version: ProxyHeaderVersion) -> [UInt8] {
        switch version {
        case .v1: Array("PROXY UNKNOWN\r\n".utf8)
        case .v2: Array("\r\n\r\n\0\r\nQUIT\n".utf8) + [0x20, 0, 0, 0]
        }
    }

    private static func writeLine(
        _ client: SocketAddress, _ server: SocketAddress, _ isIPv4: Bool, _ output: inout HeadOutput
    ) {
        output.write(isIPv4 ? "PROXY TCP4 " : "PROXY TCP6 ")
        writeText(client.ip, isIPv4, &output)
        writeText(server.ip, isIPv4, &output)
        output.write(decimal: UInt64(client.port))
        output.write(.space)
        output.write(decimal: UInt64(server.port))
        output.write("\r\n")
    }

    private static func writeText(_ address: IPAddress, _ isIPv4: Bool, _ output: inout HeadOutput) {
        if address.isIPv4, !isIPv4 { output.write("::ffff:") }
        output.write(address)
        output.write(.space)
    }

    private static func writeBinary(
        _ client: SocketAddress, _ server: SocketAddress, _ isIPv4: Bool, _ output: inout HeadOutput
    ) {
        output.write("\r\n\r\n\0\r\nQUIT\n")
        // Version 2, on behalf of a client; TCP over IPv4 or IPv6.
        output.write(0x21 as UInt8)
        output.write((isIPv4 ? 0x11 : 0x21) as UInt8)
        output.write(bigEndian: isIPv4 ? 12 : 36 as UInt16)
        writeBytes(client.ip, isIPv4, &output)
        writeBytes(server.ip, isIPv4, &output)
        output.write(bigEndian: client.port)
        output.write(bigEndian: server.port)
    }

    private static func writeBytes(_ address: IPAddress, _ isIPv4: Bool, _ output: inout HeadOutput) {
        if isIPv4 { return output.write(bigEndian: address.v4) }
        output.write(bigEndian: address.high)
        output.write(bigEndian: address.low)
    }
}

extension HeadOutput {
    fileprivate mutating func write(bigEndian value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.bigEndian) { write($0) }
    }
}
