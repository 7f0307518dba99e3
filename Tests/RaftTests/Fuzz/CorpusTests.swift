import FuzzTargets
import Posix
import Raft
import Testing

/// Every input in Tests/Corpus/fuzz that once reached new code, or broke something, is run again.
struct CorpusTests {
    @Test(arguments: FuzzTarget.allCases)
    func theCorpusIsRead(target: FuzzTarget) throws {
        let disk = FileSystem()
        let directory = Self.corpus + "/" + target.rawValue
        let names = try disk.names(in: directory)
        #expect(names.count > 10)
        for name in names { target.run(try disk.contents(of: "\(directory)/\(name)")) }
    }

    private static let corpus = #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined() + "/Corpus/fuzz"
}
