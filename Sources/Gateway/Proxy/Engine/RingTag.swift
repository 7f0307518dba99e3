/// What the kernel hands back with a completion: operation << 60 | generation << 32 | index.
///
/// The generation of a slot changes when it is closed, so what belongs to an earlier owner of the slot is told apart.
struct RingTag {
    enum Operation: UInt64 {
        /// Nobody waits for it.
        case none
        case receive, sendNow, send, pollInput, pollOutput, listener, wake
    }

    static let generationMask: UInt32 = 1 << 28 - 1
    static let none = RingTag(.none, 0, 0)

    let raw: UInt64

    @inline(__always)
    init(raw: UInt64) { self.raw = raw }

    @inline(__always)
    init(_ operation: Operation, _ index: UInt32, _ generation: UInt32) {
        raw = operation.rawValue << 60 | UInt64(generation & RingTag.generationMask) << 32 | UInt64(index)
    }

    @inline(__always)
    var operation: Operation { Operation(rawValue: raw >> 60) ?? .none }

    @inline(__always)
    var generation: UInt32 { UInt32(truncatingIfNeeded: raw >> 32) & RingTag.generationMask }

    @inline(__always)
    var index: UInt32 { UInt32(truncatingIfNeeded: raw) }
}
