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
            object(
                to, format, fields, successPercent,
                make: { options(.standardOutput, $1, $2, $3) }
            ).fieldsNeedJSON
        case .file:
            object(
                to, .required("path", .filePath, "The file, which is appended to."), format, fields, successPercent,
                make: { options(.file(path: $1), $2, $3, $4) }
            ).fieldsNeedJSON
        }
    }

    private static func options(
        _ destination: AccessLogOptions.Destination, _ format: AccessLogFormat, _ fields: [AccessLogField],
        _ successPercent: Int
    ) -> AccessLogOptions {
        let content = AccessLogContent(format: format, fields: fields, successPercent: successPercent)
        return AccessLogOptions(destination: destination, content: content)
    }

    private var fieldsNeedJSON: Schema {
        rule(
            at: "fields",
            { $0?.content.format == .json || $0?.content.fields == AccessLogField.allCases },
            wrong: "only the format \"json\" has chosen fields", right: "use format: \"json\", or leave them out")
    }

    private static var to: Field<AccessLogWord> {
        .required(
            "to", .choice, "\"off\"; \"stdout\"; \"file\", which SIGUSR1 has opened again after it was renamed.")
    }

    private static var format: Field<AccessLogFormat> {
        .optional(
            "format", .choice, default: .combined, "\"common\" and \"combined\" as web servers have them; \"json\".")
    }

    private static var fields: Field<[AccessLogField]> {
        .optional(
            "fields", .array(of: .choice.distinct { $0.rawValue }, count: 1...AccessLogField.allCases.count),
            default: AccessLogField.allCases, "What a line of the format \"json\" has, in this order.")
    }

    private static var successPercent: Field<Int> {
        .optional(
            "successPercent", .integer(0...100), default: 100,
            "The share of the requests with a status below 400 that are logged, drawn by lot. Errors and what broke off "
                + "always are.")
    }
}
