import Simulation
import Testing

@Suite struct RegisterHistoryTests {
    typealias Operation = RegisterHistory.Operation

    private func violation(_ operations: Operation...) -> String? {
        var history = RegisterHistory()
        for operation in operations { history.add(operation) }
        return history.violation()
    }

    @Test func readsOfTheLastWriteAreLinearizable() {
        #expect(
            violation(
                Operation(.read, key: 0, value: 0, begin: 1, end: 2),
                Operation(.write, key: 0, value: 7, begin: 3, end: 6),
                Operation(.read, key: 0, value: 0, begin: 4, end: 5),
                Operation(.read, key: 0, value: 7, begin: 4, end: 7),
                Operation(.read, key: 1, value: 0, begin: 8, end: 9)) == nil)
    }

    @Test func staleReadIsFound() {
        #expect(
            violation(
                Operation(.write, key: 0, value: 7, begin: 1, end: 2),
                Operation(.read, key: 0, value: 0, begin: 3, end: 4)) != nil)
    }

    @Test func readThatGoesBackIsFound() {
        #expect(
            violation(
                Operation(.write, key: 0, value: 1, begin: 1, end: 2),
                Operation(.write, key: 0, value: 2, begin: 3, end: 10),
                Operation(.read, key: 0, value: 2, begin: 4, end: 5),
                Operation(.read, key: 0, value: 1, begin: 6, end: 7)) != nil)
    }

    @Test func readOfNothingWrittenIsFound() {
        #expect(violation(Operation(.read, key: 0, value: 5, begin: 1, end: 2)) != nil)
    }

    @Test func readBeforeItsWriteIsFound() {
        #expect(
            violation(
                Operation(.read, key: 0, value: 5, begin: 1, end: 2),
                Operation(.write, key: 0, value: 5, begin: 3, end: 4)) != nil)
    }

    @Test func lostWriteIsFoundOnlyWhenItWasConfirmed() {
        let read = Operation(.read, key: 0, value: 0, begin: 5, end: 6)
        #expect(violation(Operation(.write, key: 0, value: 1, begin: 1, end: 2), read) != nil)
        #expect(violation(Operation(.write, key: 0, value: 1, begin: 1, end: .max), read) == nil)
    }
}
