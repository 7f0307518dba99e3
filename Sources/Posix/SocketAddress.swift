import CLinux
import Glibc

/// An IPv4 or IPv6 address without a port, held as 16 bytes (IPv4 as IPv4-mapped).
package struct IPAddress: Hashable, Sendable, CustomStringConvertible {
    package var high: UInt64
    package var low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    package init(v4 value: UInt32) { self.init(high: 0, low: 0x0000_ffff_0000_0000 | UInt64(value)) }

    /// Parses a numeric address; names are not resolved.
    package init?(_ text: String) {
        var four = in_addr()
        if inet_pton(AF_INET, text, &four) == 1 {
            self.init(v4: UInt32(bigEndian: four.s_addr))
            return
        }
        var six = in6_addr()
        guard inet_pton(AF_INET6, text, &six) == 1 else { return nil }
        let words = withUnsafeBytes(of: &six) {
            ($0.loadUnaligned(as: UInt64.self), $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        }
        self.init(high: UInt64(bigEndian: words.0), low: UInt64(bigEndian: words.1))
    }

    package var isIPv4: Bool { high == 0 && low >> 32 == 0xffff }
    package var v4: UInt32 { UInt32(truncatingIfNeeded: low) }
    package var isLoopback: Bool { isIPv4 ? v4 >> 24 == 127 : high == 0 && low == 1 }
    package var isUnspecified: Bool { isIPv4 ? v4 == 0 : high == 0 && low == 0 }
    /// Multicast, or the IPv4 broadcast address.
    package var isMulticast: Bool { isIPv4 ? v4 >> 28 == 0xe || v4 == .max : high >> 56 == 0xff }

    package var description: String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        if isIPv4 {
            var four = in_addr(s_addr: v4.bigEndian)
            inet_ntop(AF_INET, &four, &text, socklen_t(text.count))
        } else {
            var six = in6_addr()
            withUnsafeMutableBytes(of: &six) {
                $0.storeBytes(of: high.bigEndian, as: UInt64.self)
                $0.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
            }
            inet_ntop(AF_INET6, &six, &text, socklen_t(text.count))
        }
        return text.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    }
}

/// A numeric address and a port, as `127.0.0.1:8080` or `[::1]:8080`.
package struct SocketAddress: Hashable, Sendable, CustomStringConvertible {
    package var ip: IPAddress
    package var port: UInt16

    package init(ip: IPAddress, port: UInt16) {
        self.ip = ip
        self.port = port
    }

    /// Parses `IPv4:port` or `[IPv6]:port`; anything else, a name included, is nil.
    package init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let digits = text[text.index(after: colon)...]
        guard !digits.isEmpty, digits.utf8.allSatisfy({ $0 >= 48 && $0 <= 57 }), let port = UInt16(digits) else {
            return nil
        }
        var host = text[..<colon]
        let bracketed = host.hasPrefix("[") && host.hasSuffix("]")
        if bracketed { host = host.dropFirst().dropLast() }
        guard let ip = IPAddress(String(host)), bracketed == !ip.isIPv4 else { return nil }
        self.init(ip: ip, port: port)
    }

    package var description: String { ip.isIPv4 ? "\(ip):\(port)" : "[\(ip)]:\(port)" }

    package var family: Int32 { ip.isIPv4 ? AF_INET : AF_INET6 }

    /// Lends the kernel's form of this address to `body`.
    package func withSockaddr<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        var storage = sockaddr_storage()
        let length = withUnsafeMutableBytes(of: &storage) { bytes -> Int in
            if ip.isIPv4 {
                let address = bytes.bindMemory(to: sockaddr_in.self).baseAddress!
                address.pointee.sin_family = sa_family_t(AF_INET)
                address.pointee.sin_port = port.bigEndian
                address.pointee.sin_addr.s_addr = ip.v4.bigEndian
                return MemoryLayout<sockaddr_in>.size
            }
            let address = bytes.bindMemory(to: sockaddr_in6.self).baseAddress!
            address.pointee.sin6_family = sa_family_t(AF_INET6)
            address.pointee.sin6_port = port.bigEndian
            withUnsafeMutableBytes(of: &address.pointee.sin6_addr) {
                $0.storeBytes(of: ip.high.bigEndian, as: UInt64.self)
                $0.storeBytes(of: ip.low.bigEndian, toByteOffset: 8, as: UInt64.self)
            }
            return MemoryLayout<sockaddr_in6>.size
        }
        return withUnsafePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(length)) }
        }
    }

    /// Reads the kernel's form; nil for a family other than IPv4 and IPv6.
    package init?(_ storage: borrowing sockaddr_storage) {
        var copy = copy storage
        let parsed: SocketAddress? = withUnsafeBytes(of: &copy) { bytes in
            if bytes.load(as: sa_family_t.self) == AF_INET {
                let address = bytes.load(as: sockaddr_in.self)
                let ip = IPAddress(v4: UInt32(bigEndian: address.sin_addr.s_addr))
                return SocketAddress(ip: ip, port: UInt16(bigEndian: address.sin_port))
            }
            guard bytes.load(as: sa_family_t.self) == AF_INET6 else { return nil }
            let offset = MemoryLayout<sockaddr_in6>.offset(of: \.sin6_addr)!
            let high = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            let low = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self))
            let port = UInt16(bigEndian: bytes.load(as: sockaddr_in6.self).sin6_port)
            return SocketAddress(ip: IPAddress(high: high, low: low), port: port)
        }
        guard let parsed else { return nil }
        self = parsed
    }
}
