import Gateway
import Testing

@Suite struct SlabTests {
    @Test func handsOutEveryPlaceOnceAndThenNone() {
        var slab = Slab<Int>(firstIndex: 100, capacity: 3)
        let slots = (0..<3).map { slab.insert($0) }
        #expect(slots == [Slot(100), Slot(101), Slot(102)])
        #expect(slab.insert(9) == nil)
        #expect(slab[Slot(101)].pointee == 1)
        #expect(slab.count == 3)
        #expect(slab.contains(Slot(102)) && !slab.contains(Slot(103)) && !slab.contains(Slot(99)))
    }

    @Test func usesTheLastFreedPlaceFirst() {
        var slab = Slab<Int>(firstIndex: 0, capacity: 4)
        for value in 0..<4 { _ = slab.insert(value) }
        slab.remove(Slot(1))
        slab.remove(Slot(2))
        #expect(slab.insert(7) == Slot(2))
        #expect(slab.insert(8) == Slot(1))
        #expect(slab[Slot(2)].pointee == 7)
    }
}
