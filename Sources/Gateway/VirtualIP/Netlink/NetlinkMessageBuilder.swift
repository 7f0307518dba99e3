import CLinux

/// Netlink pads headers and attributes to four bytes.
func netlinkAligned(_ length: Int) -> Int { (length + 3) & ~3 }

/// One netlink(7) message in the kernel's own byte order and layout: header, fixed part, attributes.
struct NetlinkMessageBuilder {
    private var bytes: [UInt8] = []

    init(type: Int32, flags: Int32, _ sequence: UInt32) {
        append(
            nlmsghdr(
                nlmsg_len: 0, nlmsg_type: UInt16(type), nlmsg_flags: UInt16(flags), nlmsg_seq: sequence, nlmsg_pid: 0))
    }

    mutating func append<Value: BitwiseCopyable>(_ value: Value) {
        withUnsafeBytes(of: value) { bytes.append(contentsOf: $0) }
        pad()
    }

    mutating func appendAttribute(_ type: UInt16, _ value: [UInt8]) {
        append(rtattr(rta_len: UInt16(MemoryLayout<rtattr>.size + value.count), rta_type: type))
        bytes += value
        pad()
    }

    func finished() -> [UInt8] {
        var message = bytes
        withUnsafeBytes(of: UInt32(message.count)) { message.replaceSubrange(0..<4, with: $0) }
        return message
    }

    private mutating func pad() {
        bytes += Array(repeating: 0, count: netlinkAligned(bytes.count) - bytes.count)
    }
}
