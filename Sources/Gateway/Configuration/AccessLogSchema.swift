/// Where the access log goes; the raw value is the name in files.
private enum AccessLogWord: String, CaseIterable {
    case off
    case stdout
    case file
}

extension Schema where Value == AccessLogOptions? {
    /// The `accessLog` object of a node file.
    static let accessLog = tagged(
        "to", default: nil as AccessLogWord?, write: { _ in "{ to: \"off\" }" }
    ) { word in
        switch word {
        case .off: object(to, make: { _ in nil })
        case .stdout:
            object(to, format, make: { AccessLogOptions(destination: .standardOutput, format: $1) })
        case .file:
            object(
                to, .required("path", .filePath, "The file, which is appended to."), format,
                make: { AccessLogOptions(destination: .file(path: $1), format: $2) })
        }
    }

    private static var to: Field<AccessLogWord> {
        .required(
            "to", .choice, "\"off\"; \"stdout\"; \"file\", which SIGUSR1 has opened again after it was renamed.")
    }

    private static var format: Field<AccessLogFormat> {
        .optional(
            "format", .choice, default: .combined, "\"common\" and \"combined\" as web servers have them; \"json\".")
    }
}
