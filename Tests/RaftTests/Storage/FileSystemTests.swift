import Posix
import Raft
import Testing

@Suite struct FileSystemTests {
    private func readBack(_ directory: TemporaryDirectory, _ name: String) throws -> [UInt8] {
        try FileSystem().contents(of: "\(directory.path)/\(name)")
    }

    @Test(arguments: [false, true]) func aFileWithRoomIsZerosUntilWritten(isPrepared: Bool) throws {
        let directory = TemporaryDirectory()
        let disk = FileSystem()
        let path = "\(directory.path)/segment"
        if isPrepared { disk.prepare(path, reserving: 700_001) }
        let file = try disk.create(path, reserving: 700_001)
        var expected = [UInt8](repeating: 0, count: 700_001)
        #expect(try readBack(directory, "segment") == expected)
        try disk.write([1, 2, 3], to: file, at: 700)
        try disk.sync(file)
        expected.replaceSubrange(700..<703, with: [1, 2, 3])
        let isAsWritten = try readBack(directory, "segment") == expected
        #expect(isAsWritten)
    }

    @Test func whatWasPreparedIsNotTakenForAnythingElse() throws {
        let directory = TemporaryDirectory()
        let disk = FileSystem()
        let path = "\(directory.path)/segment"
        disk.prepare(path, reserving: 1000)
        // A larger one under the same name, as for a batch that no ordinary segment has room for.
        _ = try disk.create(path, reserving: 2000)
        #expect(try readBack(directory, "segment").count == 2000)
        disk.prepare(path, reserving: 1000)
        let other = try disk.create("\(directory.path)/other", reserving: 0)
        try disk.write([7], to: other, at: 0)
        #expect(try readBack(directory, "other") == [7])
        // Taking it waits until it is made.
        _ = try disk.create(path, reserving: 1000)
        #expect(try readBack(directory, "segment").count == 1000)
    }

    @Test func whatCanNotBePreparedIsToldWhenItIsNeeded() throws {
        let directory = TemporaryDirectory()
        let disk = FileSystem()
        let path = "\(directory.path)/missing/segment"
        disk.prepare(path, reserving: 1000)
        #expect(throws: SystemError.self) { try disk.create(path, reserving: 1000) }
    }
}
