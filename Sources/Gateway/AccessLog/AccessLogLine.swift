import Glibc
import Posix

/// Puts the lines of the log together.
enum AccessLogLine {
    static let maximumBytes = 4096

    /// Returns the bytes of `buffer`, which has `maximumBytes`, that the line takes.
    static func write(
        _ entry: AccessLogEntry, client: IPAddress, duration: Nanoseconds, _ stamp: AccessLogStamp,
        _ content: AccessLogContent, into buffer: UnsafeMutableRawBufferPointer
    ) -> UnsafeRawBufferPointer {
        var output = HeadOutput(buffer)
        switch content.format {
        case .common: writeCommon(entry, client, stamp, &output)
        case .combined:
            writeCommon(entry, client, stamp, &output)
            output.write(" \"")
            writeText(entry, entry.referer, &output)
            output.write("\" \"")
            writeText(entry, entry.agent, &output)
            output.write("\"")
        case .json: writeJSON(entry, client, duration, stamp, content.fields, &output)
        }
        switch content.format {
        case .common, .combined:
            output.write(.space)
            if let backend = entry.backend { output.write(backend) } else { output.write("-") }
            output.write(.space)
            writeSeconds(duration, &output)
        case .json: break
        }
        output.write(.lineFeed)
        guard let count = output.count else { preconditionFailure("an entry's texts are shorter than a line") }
        return UnsafeRawBufferPointer(rebasing: buffer[..<count])
    }

    private static func writeCommon(
        _ entry: AccessLogEntry, _ client: IPAddress, _ stamp: AccessLogStamp, _ output: inout HeadOutput
    ) {
        output.write(client)
        output.write(" - - [")
        stamp.write(to: &output)
        output.write("] \"")
        writeText(entry, entry.line, &output)
        output.write("\" ")
        output.write(decimal: UInt64(entry.status))
        output.write(.space)
        if entry.bytes > 0 { output.write(decimal: entry.bytes) } else { output.write("-") }
    }

    /// An empty text is a hyphen, as in the logs of the web servers.
    private static func writeText(_ entry: AccessLogEntry, _ range: Range<Int>, _ output: inout HeadOutput) {
        if range.isEmpty { output.write("-") } else { output.write(entry.text(range)) }
    }

    private static func writeJSON(
        _ entry: AccessLogEntry, _ client: IPAddress, _ duration: Nanoseconds, _ stamp: AccessLogStamp,
        _ fields: [AccessLogField], _ output: inout HeadOutput
    ) {
        var separator: StaticString = "{"
        for field in fields {
            output.write(separator)
            separator = ","
            switch field {
            case .time:
                output.write("\"time\":\"")
                stamp.write(to: &output)
                output.write("\"")
            case .client:
                output.write("\"client\":\"")
                output.write(client)
                output.write("\"")
            case .request: writeJSON("\"request\":\"", entry, entry.line, &output)
            case .host: writeJSON("\"host\":\"", entry, entry.host, &output)
            case .status:
                output.write("\"status\":")
                output.write(decimal: UInt64(entry.status))
            case .bytes:
                output.write("\"bytes\":")
                output.write(decimal: entry.bytes)
            case .complete: output.write(entry.isComplete ? "\"complete\":true" : "\"complete\":false")
            case .seconds:
                output.write("\"seconds\":")
                writeSeconds(duration, &output)
            case .backend: writeBackend(entry.backend, &output)
            case .hedged: output.write(entry.isHedged ? "\"hedged\":true" : "\"hedged\":false")
            case .referer: writeJSON("\"referer\":\"", entry, entry.referer, &output)
            case .userAgent: writeJSON("\"userAgent\":\"", entry, entry.agent, &output)
            case .requestId: writeJSON("\"requestId\":\"", entry, entry.requestID, &output)
            case .traceId: writeJSON("\"traceId\":\"", entry, entry.traceID, &output)
            }
        }
        output.write("}")
    }

    /// `start` ends with the quote in front of the text.
    private static func writeJSON(
        _ start: StaticString, _ entry: AccessLogEntry, _ range: Range<Int>, _ output: inout HeadOutput
    ) {
        output.write(start)
        output.write(entry.text(range))
        output.write("\"")
    }

    private static func writeBackend(_ backend: SocketAddress?, _ output: inout HeadOutput) {
        guard let backend else { return output.write("\"backend\":null") }
        output.write("\"backend\":\"")
        output.write(backend)
        output.write("\"")
    }

    /// With six digits behind the point.
    private static func writeSeconds(_ duration: Nanoseconds, _ output: inout HeadOutput) {
        let microseconds = duration.count / 1000
        output.write(decimal: microseconds / 1_000_000)
        output.write(.period)
        var digit: UInt64 = 100_000
        while digit > 0 {
            output.write(0x30 + UInt8(microseconds / digit % 10))
            digit /= 10
        }
    }
}

/// The second in which a line is written, in UTC: `22/Nov/2026:13:07:05 +0000`, in JSON `2026-11-22T13:07:05Z`.
struct AccessLogStamp {
    private static let capacity = 26
    private var text = InlineArray<26, UInt8>(repeating: 0)
    private var count = 0

    init(_ time: WallTime, _ format: AccessLogFormat) {
        var seconds = time_t(time.millisecondsSince1970 / 1000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        let year = Int(parts.tm_year) + 1900
        switch format {
        case .common, .combined:
            add(Int(parts.tm_mday), digits: 2, then: "/")
            let months: StaticString = "JanFebMarAprMayJunJulAugSepOctNovDec"
            for index in 0..<3 { add(months.utf8Start[Int(parts.tm_mon) * 3 + index]) }
            add(UInt8(ascii: "/"))
            add(year, digits: 4, then: ":")
        case .json:
            add(year, digits: 4, then: "-")
            add(Int(parts.tm_mon) + 1, digits: 2, then: "-")
            add(Int(parts.tm_mday), digits: 2, then: "T")
        }
        add(Int(parts.tm_hour), digits: 2, then: ":")
        add(Int(parts.tm_min), digits: 2, then: ":")
        switch format {
        case .common, .combined: add(Int(parts.tm_sec), digits: 2, then: " +0000")
        case .json: add(Int(parts.tm_sec), digits: 2, then: "Z")
        }
    }

    private mutating func add(_ byte: UInt8) {
        text[count] = byte
        count += 1
    }

    private mutating func add(_ number: Int, digits: Int, then text: StaticString) {
        var divisor = digits == 4 ? 1000 : 10
        while divisor > 0 {
            add(0x30 + UInt8(number / divisor % 10))
            divisor /= 10
        }
        for index in 0..<text.utf8CodeUnitCount { add(text.utf8Start[index]) }
    }

    func write(to output: inout HeadOutput) {
        withUnsafeBytes(of: text) { output.write(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
    }
}
