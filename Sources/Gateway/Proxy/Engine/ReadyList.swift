/// A first-in first-out list of slots, linked through their channels.
struct ReadyList {
    private static let end = UInt32.max
    private var first = end
    private var last = end

    @inline(__always)
    var isEmpty: Bool { first == ReadyList.end }

    @inline(__always)
    mutating func append(_ index: UInt32, _ channels: UnsafeMutablePointer<Channel>) {
        channels[Int(index)].nextReady = ReadyList.end
        if isEmpty { first = index } else { channels[Int(last)].nextReady = index }
        last = index
    }

    @inline(__always)
    mutating func popFirst(_ channels: UnsafeMutablePointer<Channel>) -> UInt32? {
        if isEmpty { return nil }
        let index = first
        first = channels[Int(index)].nextReady
        channels[Int(index)].flags.remove(.queued)
        return index
    }
}
