/// What happened: as a fingerprint always, as readable lines when recording.
struct Trace {
    private static let lineLimit = 4000

    let isRecording: Bool
    /// FNV-1a over everything noted.
    private(set) var fingerprint: UInt64 = 0xCBF2_9CE4_8422_2325
    private(set) var lines: [String] = []

    init(isRecording: Bool) { self.isRecording = isRecording }

    mutating func note(_ numbers: UInt64...) {
        for number in numbers { fingerprint = (fingerprint ^ number) &* 0x0000_0100_0000_01B3 }
    }

    mutating func line(at time: UInt64, _ text: @autoclosure () -> String) {
        guard isRecording else { return }
        if lines.count >= Self.lineLimit { lines.removeFirst(Self.lineLimit / 4) }
        let micros = String(time / 1000)
        lines.append(String(repeating: " ", count: max(0, 9 - micros.count)) + micros + "us  " + text())
    }
}
