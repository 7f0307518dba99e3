import COpenSSL

/// Where all secured connections of one thread read and write: they take turns with one piece of memory, so that a
/// connection at rest holds none.
package final class TLSWire {
    private let state: UnsafeMutablePointer<gw_wire>
    let bio: OpaquePointer

    // It lives as long as the process.
    private nonisolated(unsafe) static let method = gw_wire_method()

    /// - Parameter capacity: bytes that may be written between two `clear`s; to write more breaks the connection.
    package init(capacity: Int) throws(TLSFailure) {
        state = .allocate(capacity: 1)
        let output = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
        state.initialize(
            to: gw_wire(input: nil, input_count: 0, output: output, output_count: 0, output_capacity: capacity))
        guard let method = Self.method, let bio = gw_wire_bio(method, state) else {
            output.deallocate()
            state.deallocate()
            throw .noted("TLS can not be set up")
        }
        self.bio = bio
    }

    deinit {
        BIO_free(bio)
        state.pointee.output.deallocate()
        state.deallocate()
    }

    /// What the next connection reads; it has to stay where it is until then.
    @inline(__always)
    package func offer(_ bytes: UnsafeRawBufferPointer) {
        state.pointee.input = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
        state.pointee.input_count = bytes.count
    }

    @inline(__always)
    package var isRead: Bool { state.pointee.input_count == 0 }

    /// What was written since `clear`.
    @inline(__always)
    package var output: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: state.pointee.output, count: state.pointee.output_count)
    }

    @inline(__always)
    package func clear() { state.pointee.output_count = 0 }
}
