import Posix
import Testing

@Suite struct LogLineTests {
    private let time = WallTime(millisecondsSince1970: 1_763_816_825_123)

    private func line(
        _ message: String, _ fields: [LogField] = [], _ format: LogFormat, level: Log.Level = .info,
        isForJournal: Bool = false
    ) -> String {
        LogLine.make(at: time, level, message, fields, format, isForJournal: isForJournal)
    }

    @Test func textIsTheMessageAlone() {
        #expect(
            line("vip: claimed 10.0.0.1", [.event("address-claimed")], .text)
                == "2025-11-22T13:07:05.123Z info  vip: claimed 10.0.0.1\n")
    }

    @Test func theJournalGetsPrioritiesAndNoSecondTime() {
        let priorities = Log.Level.allCases.map { line("raft: x", [], .text, level: $0, isForJournal: true) }
        #expect(priorities == ["<7>debug raft: x\n", "<6>info  raft: x\n", "<4>warn  raft: x\n", "<3>error raft: x\n"])
        #expect(line("raft: x", [], .json, isForJournal: true).hasPrefix("<6>{\"time\":\"2025-"))
    }

    @Test func fieldsHaveTheirNames() {
        let fields: [LogField] = [.event("address-claimed"), .address("10.0.0.1"), .term(3), .reason("a \"b\"=c")]
        #expect(
            line("vip: claimed 10.0.0.1 term=3", fields, .logfmt, level: .warning)
                == "time=2025-11-22T13:07:05.123Z level=warning subsystem=vip message=\"claimed 10.0.0.1 term=3\" "
                + "event=address-claimed address=10.0.0.1 term=3 reason=\"a \\\"b\\\"=c\"\n")
        #expect(
            line("vip: claimed 10.0.0.1 term=3", fields, .json, level: .warning)
                == "{\"time\":\"2025-11-22T13:07:05.123Z\",\"level\":\"warning\",\"subsystem\":\"vip\","
                + "\"message\":\"claimed 10.0.0.1 term=3\",\"event\":\"address-claimed\",\"address\":\"10.0.0.1\","
                + "\"term\":3,\"reason\":\"a \\\"b\\\"=c\"}\n")
    }

    @Test func onlyPartsOfTheGatewayAreSubsystems() {
        #expect(line("access log: gone", [], .logfmt).contains(" subsystem=access-log message=\"gone\""))
        #expect(line("stopping: now", [], .logfmt).contains(" subsystem=gwnode message=\"stopping: now\""))
        #expect(line("hello", [], .logfmt).contains(" subsystem=gwnode message=\"hello\""))
    }

    /// What comes from outside neither ends a line or a text nor drives a terminal.
    @Test(arguments: LogFormat.allCases)
    func hostileTextsAreEscaped(format: LogFormat) {
        let hostile = "a\nb\u{1b}[2J\"\\\u{0}\u{7f}\u{9b}\té"
        let made = line("raft: \(hostile)", [.reason(hostile), .name("")], format)
        #expect(made.unicodeScalars.dropLast().allSatisfy { $0.value >= 0x20 && !(0x7f...0x9f ~= $0.value) })
        #expect(made.contains("é") && made.hasSuffix("\n"))
        switch format {
        case .text: #expect(made.contains("a\\u{a}b\\u{1b}[2J"))
        case .logfmt: #expect(made.contains(" reason=\"a\\nb\\u001b[2J\\\"\\\\\\u0000\\u007f\\u009b\\té\" name=\"\"\n"))
        case .json:
            #expect(made.contains(",\"reason\":\"a\\nb\\u001b[2J\\\"\\\\\\u0000\\u007f\\u009b\\té\",\"name\":\"\"}\n"))
        }
    }
}
