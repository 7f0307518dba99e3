extension EpollEngine {
    package mutating func splice(_ source: Slot, to target: Slot, count: UInt64) -> Bool {
        settle(target)
        let (from, to) = (channels + Int(source.index), channels + Int(target.index))
        precondition(from.pointee.unread.isEmpty, "earlier bytes come first")
        guard to.pointee.outbox.isEmpty,
            splices.begin(from: source.index, to: target.index, count: count, channels)
        else { return false }
        enqueue(source.index, from)
        return true
    }

    package func unsplicedBytes(_ source: Slot) -> UInt64 { splices.remaining(from: channels[Int(source.index)]) }

    package func isSpliceHeldUp(_ source: Slot) -> Bool { splices.isHeldUp(channels[Int(source.index)]) }

    /// Moves what can be moved without waiting.
    mutating func move(_ number: Int) -> Completion? {
        let source = splices[number].source
        switch splices.advance(number, channels) {
        case .ended(let completion): return completion
        case .moving: enqueue(source, channels + Int(source))
        case .waiting: break
        }
        return nil
    }
}
