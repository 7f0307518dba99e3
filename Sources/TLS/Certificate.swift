import COpenSSL
import Posix

/// An X.509 certificate.
package final class Certificate {
    let raw: OpaquePointer

    /// Takes the pointer over.
    init(owning raw: OpaquePointer) { self.raw = raw }

    deinit { X509_free(raw) }

    /// The URIs among the alternative names of its subject.
    package var uris: [String] { texts { gw_for_each_uri(raw, $0, $1) } }

    /// The names of servers that it is for: DNS names among the alternative names of its subject, or its common name
    /// where there are none.
    package var serverNames: [String] { texts { gw_for_each_name(raw, $0, $1) } }

    private typealias Visitor =
        @convention(c) (UnsafePointer<UInt8>?, Int32, UnsafeMutableRawPointer?) -> Void

    private func texts(_ forEach: (@escaping Visitor, UnsafeMutableRawPointer) -> Void) -> [String] {
        var texts: [String] = []
        withUnsafeMutablePointer(to: &texts) { list in
            forEach(
                { bytes, count, list in
                    guard let bytes, let list else { return }
                    let text = String(decoding: UnsafeBufferPointer(start: bytes, count: Int(count)), as: UTF8.self)
                    list.assumingMemoryBound(to: [String].self).pointee.append(text)
                }, list)
        }
        return texts
    }

    /// Seconds since 1970 from which on it is no longer valid.
    package var expirySeconds: Int { Self.seconds(X509_get0_notAfter(raw)) }

    /// The same from which on it is valid.
    var startSeconds: Int { Self.seconds(X509_get0_notBefore(raw)) }

    private static func seconds(_ moment: UnsafePointer<ASN1_TIME>?) -> Int {
        var time = tm()
        guard ASN1_TIME_to_tm(moment, &time) == 1 else { return 0 }
        return timegm(&time)
    }

    /// In PEM.
    package var text: [UInt8] { MemoryBuffer.bytes { PEM_write_bio_X509($0, raw) } }

    /// All that there are in a file, in order; at least one.
    package static func readAll(_ text: [UInt8]) throws(TLSFailure) -> [Certificate] {
        var all: [Certificate] = []
        MemoryBuffer.reading(text) { bio in
            while let raw = PEM_read_bio_X509(bio, nil, nil, nil) { all.append(Certificate(owning: raw)) }
        }
        let failure = TLSFailure.noted("it is no certificate in PEM")
        if all.isEmpty { throw failure }
        return all
    }
}

/// A private key.
package final class PrivateKey {
    let raw: OpaquePointer

    init(owning raw: OpaquePointer) { self.raw = raw }

    deinit { EVP_PKEY_free(raw) }

    /// A new one, on the curve P-256.
    package static func make() throws(TLSFailure) -> PrivateKey {
        guard let raw = gw_new_key() else { throw .noted("a key can not be made") }
        return PrivateKey(owning: raw)
    }

    /// In PEM, without a pass phrase.
    package var text: [UInt8] { MemoryBuffer.bytes { PEM_write_bio_PrivateKey($0, raw, nil, nil, 0, nil, nil) } }

    package static func read(_ text: [UInt8]) throws(TLSFailure) -> PrivateKey {
        // Without this OpenSSL would ask for a pass phrase at the terminal.
        let raw = MemoryBuffer.reading(text) { PEM_read_bio_PrivateKey($0, nil, { _, _, _, _ in -1 }, nil) }
        guard let raw else { throw .noted("it is no private key in PEM without a pass phrase") }
        return PrivateKey(owning: raw)
    }
}

/// OpenSSL's files in memory.
private enum MemoryBuffer {
    static func bytes(_ write: (OpaquePointer) -> Int32) -> [UInt8] {
        let bio = BIO_new(BIO_s_mem())!
        defer { BIO_free(bio) }
        guard write(bio) == 1 else { return [] }
        var start: UnsafePointer<UInt8>?
        let count = gw_bytes(bio, &start)
        return Array(UnsafeBufferPointer(start: start, count: count))
    }

    static func reading<Value>(_ bytes: [UInt8], _ body: (OpaquePointer) -> Value) -> Value {
        let bio = BIO_new_mem_buf(bytes, Int32(clamping: bytes.count))!
        defer { BIO_free(bio) }
        return body(bio)
    }
}
