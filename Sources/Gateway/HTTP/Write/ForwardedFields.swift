/// Copies the field lines that go on to the next hop.
///
/// The lines of a head lie one behind the other, so runs of lines that stay are copied at once.
enum ForwardedFields {
    @inline(__always)
    static func write(
        _ source: UnsafeRawBufferPointer, _ fields: borrowing FieldTable, count: Int, headEnd: Int,
        to output: inout HeadOutput, keeping keeps: (HeaderField) -> Bool
    ) {
        guard count > 0 else { return }
        let end = headEnd &- 2
        var runStart = fields[0].name.start
        for index in 0..<count {
            let field = fields[index]
            if keeps(field) { continue }
            output.write(runStart..<field.name.start, of: source)
            runStart = index &+ 1 < count ? fields[index &+ 1].name.start : end
        }
        output.write(runStart..<end, of: source)
    }

    /// Whether a Connection field names `name`, RFC 9110 section 7.6.1.
    static func connectionNames(
        _ name: ByteSlice, _ source: UnsafeRawBufferPointer, _ fields: borrowing FieldTable, count: Int
    ) -> Bool {
        let bytes = source.bytes
        for index in 0..<count where fields[index].known == .connection {
            let list = fields[index].value
            var position = list.start
            while let element = ListElements.next(bytes, at: &position, to: list.end) {
                if equal(source, element, name) { return true }
            }
        }
        return false
    }

    private static func equal(_ source: UnsafeRawBufferPointer, _ left: ByteSlice, _ right: ByteSlice) -> Bool {
        guard left.count == right.count else { return false }
        for index in 0..<Int(left.count)
        where lowercased(source[left.start + index]) != lowercased(source[right.start + index]) {
            return false
        }
        return true
    }

    private static func lowercased(_ byte: UInt8) -> UInt8 {
        byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte
    }
}
