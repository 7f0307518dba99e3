import Gateway
import Testing

@Suite struct SpellingTests {
    @Test(arguments: [
        ("weigth", "weight"), ("wieght", "weight"), ("Weight", "weight"), ("weights", "weight"), ("wight", "weight"),
        ("round_robin", "round-robin"), ("algoritm", "algorithm"), ("prt", "port"),
    ])
    func findsTheNearest(word: String, expected: String) {
        let known = ["address", "weight", "round-robin", "algorithm", "port", "path"]
        #expect(Spelling.closest(to: word, among: known) == expected)
    }

    @Test(arguments: ["", "colour", "x", "tcp"]) func staysSilentWhenNothingIsNear(word: String) {
        #expect(Spelling.closest(to: word, among: ["address", "weight", "port"]) == nil)
    }
}
