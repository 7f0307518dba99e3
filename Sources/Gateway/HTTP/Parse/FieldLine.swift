/// Field lines of a head or a trailer section, RFC 9112 section 5.
enum FieldLine {
    /// Reads the field line at `position` and moves behind it; false behind the empty line that ends the section.
    @inline(__always)
    static func next(
        _ bytes: RawSpan, at position: inout Int, into field: inout HeaderField
    ) throws(ParseStop) -> Bool {
        let start = position
        let nameEnd = Scan.tokenEnd(bytes, from: start)
        guard nameEnd < bytes.byteCount else { throw .incomplete }
        guard Scan.byte(bytes, nameEnd) == .colon, nameEnd > start else {
            return try endOrFault(bytes, at: &position, nameEnd: nameEnd)
        }
        let valueStart = Scan.skipWhitespace(bytes, from: nameEnd &+ 1, to: bytes.byteCount)
        let lineEnd = Scan.valueEnd(bytes, from: valueStart)
        let next = try endOfLine(bytes, at: lineEnd)
        let valueEnd = Scan.trimWhitespace(bytes, from: valueStart, to: lineEnd)
        let name = ByteSlice(from: start, to: nameEnd)
        field = HeaderField(
            name: name, value: ByteSlice(from: valueStart, to: valueEnd), known: .classify(bytes, name))
        position = next
        return true
    }

    /// Expects CRLF at `index`; returns the index behind it.
    @inline(__always)
    static func endOfLine(_ bytes: RawSpan, at index: Int) throws(ParseStop) -> Int {
        guard try Scan.required(bytes, index) == .carriageReturn else {
            throw .fault(controlFault(Scan.byte(bytes, index)))
        }
        guard try Scan.required(bytes, index &+ 1) == .lineFeed else { throw .fault(.bareCarriageReturn) }
        return index &+ 2
    }

    /// The line at `position` does not begin with a name and a colon.
    private static func endOrFault(
        _ bytes: RawSpan, at position: inout Int, nameEnd: Int
    ) throws(ParseStop) -> Bool {
        let byte = Scan.byte(bytes, nameEnd)
        guard nameEnd > position else {
            switch byte {
            case .carriageReturn:
                position = try endOfLine(bytes, at: position)
                return false
            case .lineFeed: throw .fault(.bareLineFeed)
            case .colon: throw .fault(.emptyFieldName)
            case .space, .horizontalTab: throw .fault(.foldedField)
            case 0: throw .fault(.nulByte)
            default: throw .fault(.invalidFieldName)
            }
        }
        switch byte {
        case .carriageReturn, .lineFeed: throw .fault(.missingColon)
        case .space, .horizontalTab: throw .fault(.whitespaceBeforeColon)
        case 0: throw .fault(.nulByte)
        default: throw .fault(.invalidFieldName)
        }
    }

    private static func controlFault(_ byte: UInt8) -> HTTPFault {
        switch byte {
        case .lineFeed: .bareLineFeed
        case 0: .nulByte
        default: .invalidFieldValue
        }
    }
}
