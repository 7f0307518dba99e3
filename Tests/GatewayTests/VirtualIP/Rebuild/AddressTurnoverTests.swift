import Gateway
import Posix
import Testing

private let (first, second) = (IPAddress("10.0.0.100")!, IPAddress("fd00::100")!)

@Suite struct AddressTurnoverTests {
    @Test func whatIsNewIsGained() {
        var turnover = AddressTurnover()
        #expect(turnover.hold([first]) == [first])
        #expect(turnover.hold([first, second]) == [second])
        #expect(turnover.hold([second]) == [])
        #expect(turnover.held == [second])
        #expect(turnover.hold([first, second]) == [first])
    }

    /// Connections are dropped once, and not before another node has the address.
    @Test func whatWasLostIsConcededOnce() {
        var turnover = AddressTurnover()
        _ = turnover.hold([first, second])
        #expect(turnover.concede([first]) == [], "it is here")
        _ = turnover.hold([second])
        #expect(turnover.concede([second]) == [])
        #expect(turnover.concede([first, first, second]) == [first])
        #expect(turnover.concede([first]) == [])
    }

    @Test func whatCameBackIsNotConceded() {
        var turnover = AddressTurnover()
        _ = turnover.hold([first, second])
        _ = turnover.hold([])
        _ = turnover.hold([first])
        #expect(turnover.concede([first, second]) == [second])
    }
}
