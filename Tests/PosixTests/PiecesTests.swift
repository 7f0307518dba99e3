import Posix
import Testing

@Suite struct PiecesTests {
    @Test(arguments: 0...13) func nothingIsLostOrTooMuch(count: Int) {
        let pieces = (0..<count).pieces(of: 4)
        #expect(pieces.flatMap(\.self) == Array(0..<count))
        #expect(pieces.dropLast().allSatisfy { $0.count == 4 } && pieces.allSatisfy { 1...4 ~= $0.count })
    }
}
