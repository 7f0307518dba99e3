/// Text from a file, made safe to show: in quotes, cut off when long, control characters as escapes.
func quoted(_ text: String) -> String {
    let shown = text.unicodeScalars.prefix(60).map { scalar in
        scalar == "\"" ? "\\\"" : scalar.isPrintable ? String(scalar) : "\\u{\(String(scalar.value, radix: 16))}"
    }
    return "\"\(shown.joined())\(shown.count < text.unicodeScalars.count ? "…" : "")\""
}

extension Unicode.Scalar {
    /// False for what moves the cursor, reorders text or shows nothing.
    var isPrintable: Bool {
        switch properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: false
        case _: true
        }
    }

    /// As in `U+00A0`.
    var codePoint: String {
        let digits = String(value, radix: 16, uppercase: true)
        return "U+\(String(repeating: "0", count: max(0, 4 - digits.count)))\(digits)"
    }
}
