/// Fixed places for plain structs, reached by pointer. Freed places are used again last-in first-out.
///
/// Address space is reserved for the full capacity; memory is touched only up to the most that was in use.
package struct Slab<Element>: ~Copyable {
    // The first member has to be a pointer. For `slab[slot].pointee.x = y` the thread sanitizer of Swift 6.3 takes it for the
    // slab's address, and of a number it can make none (swiftlang/swift#86265).
    private let elements: UnsafeMutablePointer<Element>
    package let firstIndex: UInt32
    package let capacity: Int
    package private(set) var count = 0
    private let free: UnsafeMutablePointer<UInt32>
    private var freeCount = 0
    private var touched = 0

    /// Slots are numbered from `firstIndex` on, so that several slabs share one engine.
    package init(firstIndex: UInt32, capacity: Int) {
        precondition(_isPOD(Element.self), "elements are dropped without being deinitialised")
        precondition(capacity > 0 && capacity < Int(UInt32.max) - Int(firstIndex), "slab capacity out of range")
        self.firstIndex = firstIndex
        self.capacity = capacity
        elements = .allocate(capacity: capacity)
        free = .allocate(capacity: capacity)
    }

    deinit {
        elements.deallocate()
        free.deallocate()
    }

    @inline(__always)
    package func contains(_ slot: Slot) -> Bool {
        slot.index >= firstIndex && slot.index - firstIndex < UInt32(capacity)
    }

    /// Nil when every place is taken.
    package mutating func insert(_ element: Element) -> Slot? {
        let place: Int
        if freeCount > 0 {
            freeCount -= 1
            place = Int(free[freeCount])
        } else if touched < capacity {
            place = touched
            touched += 1
        } else {
            return nil
        }
        count += 1
        (elements + place).initialize(to: element)
        return Slot(firstIndex + UInt32(place))
    }

    package mutating func remove(_ slot: Slot) {
        (free + freeCount).initialize(to: slot.index - firstIndex)
        freeCount += 1
        count -= 1
    }

    @inline(__always)
    package subscript(slot: Slot) -> UnsafeMutablePointer<Element> {
        precondition(contains(slot), "the slot belongs to another slab")
        return elements + Int(slot.index &- firstIndex)
    }

    /// Every place that was ever used, the freed ones included.
    package var touchedSlots: Range<UInt32> { firstIndex..<(firstIndex + UInt32(touched)) }
}
