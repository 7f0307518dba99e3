import CLinux
import Glibc

extension EpollEngine {
    /// Bytes that one splice moves before others have their turn.
    private static var spliceShare: Int { 1 << 20 }

    package mutating func splice(_ source: Slot, to target: Slot, count: UInt64) -> Bool {
        let (from, to) = (channels + Int(source.index), channels + Int(target.index))
        precondition(to.pointee.outbox.isEmpty && from.pointee.unread.isEmpty, "earlier bytes come first")
        guard let number = splices.begin(from: source.index, to: target.index, count: count) else { return false }
        from.pointee.splice = UInt32(number)
        to.pointee.splice = UInt32(number)
        enqueue(source.index, from)
        return true
    }

    package func unsplicedBytes(_ source: Slot) -> UInt64 {
        let number = channels[Int(source.index)].splice
        return number == 0 ? 0 : splices[Int(number)].remaining
    }

    package func isSpliceHeldUp(_ source: Slot) -> Bool {
        let number = channels[Int(source.index)].splice
        return number != 0 && splices[Int(number)].held > 0
    }

    /// Moves what can be moved without waiting.
    mutating func move(_ number: Int) -> Completion? {
        var splice = splices[number]
        let (source, target) = (channels + Int(splice.source), channels + Int(splice.target))
        var share = EpollEngine.spliceShare
        var completion: Completion?
        while completion == nil, share > 0 {
            let before = splice.remaining
            let heldBefore = splice.held
            completion = fill(&splice, source) ?? drain(&splice, target)
            if completion == nil && splice.remaining == 0 { completion = .spliced(Slot(splice.source)) }
            if splice.remaining == before && splice.held == heldBefore { break }
            share -= Int(before - splice.remaining)
        }
        splices[number] = splice
        switch completion {
        case .spliced: endSplice(number)
        case nil: if share <= 0 { enqueue(splice.source, source) }
        // One that failed ends with its source, so that it can be asked how far it came.
        default: break
        }
        return completion
    }

    /// From the socket into the pipe.
    private func fill(_ splice: inout Splice, _ source: UnsafeMutablePointer<Channel>) -> Completion? {
        let room = splice.pipe.capacity - splice.held
        guard splice.unread > 0, room > 0, source.pointee.flags.contains(.readable) else { return nil }
        let wanted = Int(min(splice.unread, UInt64(room)))
        let count = clinux_splice(source.pointee.descriptor, splice.pipe.writeEnd, wanted)
        if count > 0 {
            splice.unread -= UInt64(count)
            splice.held += count
            return nil
        }
        // The last bytes before a loss are still delivered.
        if splice.held > 0 { return nil }
        if count == 0 { return .receivedEnd(Slot(splice.source)) }
        switch errno {
        case EAGAIN:
            source.pointee.flags.remove(.readable)
            return nil
        case EINTR: return nil
        default:
            source.pointee.flags.insert(.errorReported)
            return .receiveFailed(Slot(splice.source), code: errno)
        }
    }

    /// From the pipe into the other socket.
    private func drain(_ splice: inout Splice, _ target: UnsafeMutablePointer<Channel>) -> Completion? {
        guard splice.held > 0, target.pointee.flags.contains(.writable) else { return nil }
        let count = clinux_splice(splice.pipe.readEnd, target.pointee.descriptor, splice.held)
        if count > 0 {
            splice.held -= count
            return nil
        }
        switch errno {
        case EAGAIN:
            target.pointee.flags.remove(.writable)
            return nil
        case EINTR: return nil
        default: return .sendFailed(Slot(splice.target), code: errno)
        }
    }

    mutating func endSplice(_ number: Int) {
        let splice = splices[number]
        channels[Int(splice.source)].splice = 0
        channels[Int(splice.target)].splice = 0
        splices.end(number)
    }
}
