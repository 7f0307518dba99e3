import Gateway
import Testing

@Suite struct WaitingLineTests {
    @Test func nobodyEntersAFullLine() {
        var line = WaitingLine()
        let entered = (0..<5).map { line.enter(worker: 0, client: Slot($0), limit: 3) != nil }
        #expect(entered == [true, true, true, false, false])
        let none = line.enter(worker: 0, client: Slot(9), limit: 0)
        #expect(none == nil)
    }

    /// Against a plain array: first come, first called, whoever left or went back in between.
    @Test(arguments: (1...20).map { UInt64($0) * 104_659 })
    func everyWalkKeepsTheOrder(seed: UInt64) throws {
        var random = RandomSource(seed: seed)
        var line = WaitingLine()
        var model: [WaitingLine.Waiter] = []
        var called: [WaitingLine.Waiter] = []
        var tickets: Set<UInt64> = []
        for step in 0..<5_000 {
            switch random.below(7) {
            case 0...2:
                let waiter = line.enter(worker: Int(random.below(4)), client: Slot(UInt32(step)), limit: 30)
                try #require((waiter != nil) == (model.count < 30), "step \(step)")
                if let waiter {
                    try #require(tickets.insert(waiter.ticket).inserted && waiter.ticket != 0)
                    model.append(waiter)
                }
            case 3, 4:
                let waiter = line.call()
                try #require(waiter == model.first, "step \(step)")
                if let waiter {
                    model.removeFirst()
                    called.append(waiter)
                }
            case 5:
                guard let waiter = called.popLast() else { continue }
                line.goBack(waiter)
                model.insert(waiter, at: 0)
            case _:
                guard let waiter = model.randomElement(using: &random) else { continue }
                let left = line.leave(waiter.ticket)
                try #require(left, "step \(step)")
                model.removeAll { $0 == waiter }
                let again = line.leave(waiter.ticket)
                try #require(!again, "step \(step)")
            }
            try #require(line.count == model.count, "step \(step)")
        }
    }
}
