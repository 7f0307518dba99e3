import Glibc

/// What the process writes to people.
package enum Terminal {
    package enum Style: Hashable, Sendable {
        case plain
        case heading
        case good
        case bad
        case faint

        package func applied(to text: String) -> String {
            switch self {
            case .plain: text
            case .heading: "\u{1b}[1m\(text)\u{1b}[0m"
            case .good: "\u{1b}[32m\(text)\u{1b}[0m"
            case .bad: "\u{1b}[31m\(text)\u{1b}[0m"
            case .faint: "\u{1b}[2m\(text)\u{1b}[0m"
            }
        }
    }

    /// Whether standard output is a terminal.
    package static var isPerson: Bool { isatty(STDOUT_FILENO) == 1 }

    /// Colours only where a person looks, and not against their wish (no-color.org).
    package static var isColoured: Bool {
        let refusal = getenv("NO_COLOR").map { String(cString: $0) } ?? ""
        return isPerson && refusal.isEmpty
    }

    /// Moves to the top left and clears what is below, so that a watched table does not flicker.
    package static let startOver = "\u{1b}[H\u{1b}[J"

    /// Another screen without a cursor, and back to what was there before.
    package static let enterScreen = "\u{1b}[?1049h\u{1b}[?25l"
    package static let leaveScreen = "\u{1b}[?25h\u{1b}[?1049l"

    /// Of the terminal at standard output; nil when there is none, or it does not know.
    package static var size: (rows: Int, columns: Int)? {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_row > 0, size.ws_col > 0 else { return nil }
        return (Int(size.ws_row), Int(size.ws_col))
    }

    /// `text` with control characters made visible: what comes from files and nodes must not drive the terminal.
    package static func printable(_ text: String) -> String {
        text.unicodeScalars.reduce(into: "") { result, scalar in
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator:
                result += "\\u{\(String(scalar.value, radix: 16))}"
            case _: result.unicodeScalars.append(scalar)
            }
        }
    }

    package static func write(_ text: String) { put(Array(text.utf8), STDOUT_FILENO) }

    /// What a program may read, as it is.
    package static func write(bytes: [UInt8]) { put(bytes, STDOUT_FILENO) }

    /// One line that says what went wrong.
    package static func complain(_ message: String) { put(Array("gwnode: \(message)\n".utf8), STDERR_FILENO) }

    package static func note(_ line: String) { put(Array("\(line)\n".utf8), STDERR_FILENO) }

    private static func put(_ bytes: [UInt8], _ descriptor: Int32) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress!, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }
}
