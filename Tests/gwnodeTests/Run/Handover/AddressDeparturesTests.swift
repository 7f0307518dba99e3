import Posix
import Raft
import Testing
import gwnode

private let one = IPAddress("10.0.0.100")!
private let two = IPAddress("10.0.0.101")!

@Suite struct AddressDeparturesTests {
    private let departure = Departure([one, two], to: NodeID(2))

    @Test func anAbsenceCountsHoweverShortItIs() {
        let departures = AddressDepartures()
        #expect(departures.want(departure, held: [one, two]))
        #expect(departures.begin() == departure && departures.begin() == nil)
        departures.note(deserted: [one, two])
        _ = departures.want(departure, held: [one, two])
        #expect(!departures.haveLeft, "nothing was given up yet")
        _ = departures.want(Departure([two], to: NodeID(2)), held: [two])
        #expect(!departures.haveLeft)
        _ = departures.want(Departure(), held: [one])
        _ = departures.want(departure, held: [one, two])
        #expect(departures.haveLeft, "both came back at once")
        departures.end()
        #expect(departures.deserted == [] && departures.begin() == departure)
    }

    @Test func whatIsToStayOrGoElsewhereIsNotCarried() {
        let departures = AddressDepartures()
        _ = departures.want(departure, held: [one, two])
        #expect(departures.isWanted(departure) && departures.isWanted(Departure([one], to: NodeID(2))))
        #expect(!departures.isWanted(Departure([one], to: NodeID(3))))
        _ = departures.want(Departure([one], to: NodeID(2)), held: [one, two])
        #expect(!departures.isWanted(departure))
        #expect(departures.deserted == [])
    }
}
