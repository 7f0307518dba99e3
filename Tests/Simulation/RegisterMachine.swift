import Raft

/// The replicated state: a few registers.
struct RegisterMachine: Equatable {
    private(set) var registers: [UInt64]

    init(keys: Int) { registers = Array(repeating: 0, count: keys) }

    mutating func apply(_ command: RegisterCommand) { registers[command.key] = command.value }

    var encoded: [UInt8] { registers.flatMap(RegisterCommand.bytes) }

    init(decoding bytes: [UInt8]) {
        registers = stride(from: 0, to: bytes.count, by: 8).map { RegisterCommand.number(bytes[$0..<($0 + 8)]) }
    }
}

/// Sets a register. Every value is written by one command only.
struct RegisterCommand: Hashable {
    var key: Int
    var value: UInt64
    /// Zeros at the end, which on a disk look like sectors that were never written.
    var padding: Int

    init(key: Int, value: UInt64, padding: Int) {
        self.key = key
        self.value = value
        self.padding = padding
    }

    init(decoding bytes: [UInt8]) {
        key = Int(Self.number(bytes[0..<8]))
        value = Self.number(bytes[8..<16])
        padding = bytes.count - 16
    }

    var encoded: [UInt8] {
        Self.bytes(UInt64(key)) + Self.bytes(value) + [UInt8](repeating: 0, count: padding)
    }

    static func bytes(_ number: UInt64) -> [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) } }

    static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) } }
}
