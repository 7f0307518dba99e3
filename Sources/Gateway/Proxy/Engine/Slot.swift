/// The place of a connection: its index in the worker's slab and in the engine's tables.
package struct Slot: Hashable, Sendable {
    package var index: UInt32

    @inline(__always)
    package init(_ index: UInt32) { self.index = index }

    /// Stands for "no connection".
    package static let none = Slot(.max)
}

/// What the kernel hands back with an event: generation << 32 | slot.
///
/// The generation of a slot changes whenever its descriptor closes, so an event that the kernel queued for an
/// earlier owner of the slot does not match and is dropped.
struct Token {
    let raw: UInt64

    @inline(__always)
    init(raw: UInt64) { self.raw = raw }

    @inline(__always)
    init(_ slot: Slot, generation: UInt32) { raw = UInt64(generation) << 32 | UInt64(slot.index) }

    @inline(__always)
    var slot: Slot { Slot(UInt32(truncatingIfNeeded: raw)) }

    @inline(__always)
    var generation: UInt32 { UInt32(truncatingIfNeeded: raw >> 32) }
}

/// A listening address; every worker has one socket for it under the same number, 0 to `maximum` − 1.
package struct ListenerID: Hashable, Sendable {
    package static let maximum = 256
    package let value: Int
    package init(_ value: Int) { self.value = value }
}
