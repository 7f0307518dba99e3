import Posix

/// The file `newest` beside the segments: the number of a segment that has to be there. Without it a log whose last
/// segment was lost would pass for a whole one that ends earlier.
struct NewestSegment {
    private static let fileName = "newest"
    private static let title = "gwnode log 1"

    var number: UInt64

    func save<D: Disk>(in directory: String, _ disk: D) throws(StorageError) {
        let text = SealedText(title: Self.title, lines: [.init(key: "segment", value: String(number))])
        do throws(SystemError) {
            try disk.replace(Self.fileName, in: directory, with: text.encoded())
        } catch { throw .system(error) }
    }

    static func load<D: Disk>(from directory: String, _ disk: D) throws(StorageError) -> NewestSegment {
        let path = "\(directory)/\(fileName)"
        do throws(MalformedBytes) {
            let text = try SealedText.decode(try contents(of: path, disk), title: title)
            guard let number = UInt64(try text.value("segment")) else {
                throw MalformedBytes(at: 0, expected: "the number of a segment")
            }
            return NewestSegment(number: number)
        } catch {
            throw .damaged(file: path, offset: error.offset, problem: "expected \(error.expected)")
        }
    }

    /// Nothing where the file is missing, which is no valid text.
    private static func contents<D: Disk>(of path: String, _ disk: D) throws(MalformedBytes) -> [UInt8] {
        do throws(SystemError) { return try disk.contents(of: path) } catch {
            throw MalformedBytes(at: 0, expected: "a file that can be read, not: \(error)")
        }
    }
}
