import COpenSSL
import Posix
import Synchronization

/// A key that session tickets are encrypted with (RFC 5077, section 4).
package struct TicketKey: Hashable, Sendable {
    package static let byteCount = 80
    fileprivate static let nameBytes = 16
    private static let cipherBytes = 32

    /// Name, key of AES-256 and key of HMAC-SHA-256.
    package let bytes: [UInt8]

    /// Nil unless there are `byteCount`.
    package init?(bytes: [UInt8]) {
        guard bytes.count == Self.byteCount else { return nil }
        self.bytes = bytes
    }

    package static func random() -> TicketKey {
        var source = SystemRandomNumberGenerator()
        return TicketKey(bytes: (0..<byteCount).map { _ in UInt8.random(in: 0...255, using: &source) })!
    }

    fileprivate var name: ArraySlice<UInt8> { bytes[..<Self.nameBytes] }
    fileprivate var cipherKey: ArraySlice<UInt8> { bytes[Self.nameBytes..<Self.nameBytes + Self.cipherBytes] }
    fileprivate var authenticationKey: ArraySlice<UInt8> { bytes[(Self.nameBytes + Self.cipherBytes)...] }

    fileprivate func prepare(
        _ cipher: OpaquePointer?, _ mac: OpaquePointer?, _ algorithm: OpaquePointer, iv: UnsafePointer<UInt8>,
        encrypts: Bool
    ) -> Bool {
        cipherKey.withUnsafeBufferPointer { cipherKey in
            authenticationKey.withUnsafeBufferPointer { key in
                gw_ticket_cipher(
                    cipher, mac, algorithm, cipherKey.baseAddress, key.baseAddress, key.count, iv, encrypts ? 1 : 0)
                    == 1
            }
        }
    }
}

/// The keys of a node's tickets, shared by its threads: the newest encrypts, all decrypt.
package final class TicketKeys: Sendable {
    private let keys: Mutex<[TicketKey]>

    // They live as long as the process.
    private nonisolated(unsafe) static let algorithm = EVP_CIPHER_fetch(nil, "AES-256-CBC", nil)
    private static let place = CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_SSL_CTX, 0, nil, nil, nil, nil)

    /// Begins with a key of this process alone, until the cluster's are known.
    package init() { keys = Mutex([.random()]) }

    /// The newest first; at least one.
    package func set(_ keys: [TicketKey]) {
        precondition(!keys.isEmpty, "tickets need a key")
        self.keys.withLock { $0 = keys }
    }

    /// The caller keeps the keys for as long as the context.
    func attach(to context: OpaquePointer) {
        SSL_CTX_set_ex_data(context, Self.place, Unmanaged.passUnretained(self).toOpaque())
        SSL_CTX_set_tlsext_ticket_key_evp_cb(context, Self.prepare)
    }

    /// Where a ticket is made: the newest key.
    private var newest: TicketKey { keys.withLock { $0[0] } }

    private func find(_ name: UnsafeBufferPointer<UInt8>) -> (key: TicketKey, isNewest: Bool)? {
        keys.withLock { keys in
            keys.firstIndex { $0.name.elementsEqual(name) }.map { (keys[$0], $0 == 0) }
        }
    }

    /// OpenSSL's question for a key, see SSL_CTX_set_tlsext_ticket_key_evp_cb(3): 0 for none, 2 to renew the ticket.
    private static let prepare:
        @convention(c) (
            OpaquePointer?, UnsafeMutablePointer<UInt8>?, UnsafeMutablePointer<UInt8>?, OpaquePointer?, OpaquePointer?,
            Int32
        ) -> Int32 = { ssl, name, iv, cipher, mac, encrypts in
            guard let ssl, let name, let iv, let algorithm = TicketKeys.algorithm,
                let data = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), TicketKeys.place)
            else { return -1 }
            let keys = Unmanaged<TicketKeys>.fromOpaque(data).takeUnretainedValue()
            if encrypts == 1 {
                let key = keys.newest
                for (index, byte) in key.name.enumerated() { name[index] = byte }
                guard RAND_bytes(iv, EVP_CIPHER_get_iv_length(algorithm)) == 1 else { return -1 }
                return key.prepare(cipher, mac, algorithm, iv: iv, encrypts: true) ? 1 : -1
            }
            guard let found = keys.find(UnsafeBufferPointer(start: name, count: TicketKey.nameBytes)) else { return 0 }
            guard found.key.prepare(cipher, mac, algorithm, iv: iv, encrypts: false) else { return -1 }
            // In TLS 1.3 a ticket is best used once (RFC 8446, appendix C.4), so that the client gets another.
            return found.isNewest && SSL_version(ssl) < TLS1_3_VERSION ? 1 : 2
        }
}
