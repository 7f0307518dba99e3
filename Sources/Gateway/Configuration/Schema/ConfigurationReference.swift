/// Both configuration files described in Markdown, from the schemas that read them.
package enum ConfigurationReference {
    package static var markdown: String {
        var reference = ReferenceWriter()
        reference.write("Node file", NodeConfiguration.schema.shape)
        reference.write("Gateway file", GatewayConfiguration.schema.shape)
        return """
            # Configuration reference

            Both files are JSON5: comments, trailing commas and keys without quotes are fine. Unknown keys are errors.
            Durations are texts such as `"250ms"`, `"10s"` or `"5m"`. `gwnode validate FILE...` reports every problem
            at once. The node file says who a machine is and stays there; the gateway file says what the cluster
            serves, and is replicated.

            `gwnode reference` prints this page.

            \(reference.text.dropLast())
            """
    }
}

/// Writes one section for each kind of object, outer ones first.
private struct ReferenceWriter {
    private struct Section: Hashable {
        /// Where the object stands, as `upstreams[].health`; empty for the file itself.
        var path: String
        var fields: [FieldShape]
    }

    private(set) var text = ""
    /// Each section once, with which of several alternatives it belongs to.
    private var sections: [(section: Section, condition: String?)] = []

    mutating func write(_ file: String, _ shape: SchemaShape) {
        sections = []
        collect(shape, at: "", condition: nil)
        text += "## \(file)\n\n"
        for (section, condition) in sections {
            let hasAlternatives = sections.count { $0.section.path == section.path } > 1
            write(section, condition: hasAlternatives ? condition : nil)
        }
    }

    private mutating func collect(_ shape: SchemaShape, at path: String, condition: String?) {
        switch shape {
        case .scalar: return
        case .array(let element, _): collect(element, at: path + "[]", condition: condition)
        case .dictionary(let element): collect(element, at: path + ".*", condition: condition)
        case .object(let fields): collect(Section(path: path, fields: fields), condition: condition)
        case .tagged(let key, let alternatives):
            for (fields, words) in grouped(alternatives) {
                let condition = "`\(key)` \(words.map { "`\"\($0)\"`" }.joined(separator: ", "))"
                collect(Section(path: path, fields: fields), condition: condition)
            }
        }
    }

    private mutating func collect(_ section: Section, condition: String?) {
        if sections.contains(where: { $0.section == section }) { return }
        sections.append((section, condition))
        for field in section.fields {
            let path = section.path.isEmpty ? field.key : "\(section.path).\(field.key)"
            collect(field.shape, at: path, condition: condition)
        }
    }

    /// Alternatives with the same keys belong together; by their first word.
    private func grouped(_ alternatives: [String: [FieldShape]]) -> [(fields: [FieldShape], words: [String])] {
        Dictionary(grouping: alternatives.keys.sorted()) { alternatives[$0] ?? [] }
            .map { (fields: $0.key, words: $0.value) }
            .sorted { ($0.words.first ?? "") < ($1.words.first ?? "") }
    }

    private mutating func write(_ section: Section, condition: String?) {
        if !section.path.isEmpty {
            text += "### `\(section.path)`\(condition.map { " with \($0)" } ?? "")\n\n"
        }
        text += "| key | value | default | meaning |\n|---|---|---|---|\n"
        for field in section.fields { text += row(field) }
        text += "\n"
    }

    private func row(_ field: FieldShape) -> String {
        let standard = field.isRequired ? "required" : field.defaultText.map { "`\($0)`" } ?? ""
        let cells = ["`\(field.key)`", kind(of: field.shape), standard, field.documentation]
        return "| " + cells.map { $0.replacing("|", with: "\\|") }.joined(separator: " | ") + " |\n"
    }

    private func kind(of shape: SchemaShape) -> String {
        switch shape {
        case .scalar, .dictionary, .object, .tagged: shape.summary
        case .array(.scalar(let noun), let count): "\(count.lowerBound) to \(count.upperBound) times: \(noun)"
        case .array: shape.summary
        }
    }
}
