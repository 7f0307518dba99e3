/// Fields that each hop says for itself.
enum HopFields {
    /// The Via entry of a message that came in `version`; the gateway calls itself by a pseudonym.
    @inline(__always)
    static func via(_ version: HTTPVersion) -> StaticString {
        switch version {
        case .http10: "Via: 1.0 gwnode\r\n"
        case .http11: "Via: 1.1 gwnode\r\n"
        }
    }

    @inline(__always)
    static func writeFraming(_ framing: BodyFraming, to output: inout HeadOutput) {
        switch framing {
        case .none, .untilClose: break
        case .length(let count): writeContentLength(count, to: &output)
        case .chunked: output.write("Transfer-Encoding: chunked\r\n")
        }
    }

    @inline(__always)
    static func writeContentLength(_ count: UInt64, to output: inout HeadOutput) {
        output.write("Content-Length: ")
        output.write(decimal: count)
        output.write("\r\n")
    }

    /// Repeats the Upgrade fields of a message.
    static func writeUpgrade(
        _ source: UnsafeRawBufferPointer, _ fields: borrowing FieldTable, count: Int, to output: inout HeadOutput
    ) {
        for index in 0..<count where fields[index].known == .upgrade {
            output.write("Upgrade: ")
            output.write(fields[index].value, of: source)
            output.write("\r\n")
        }
    }
}
