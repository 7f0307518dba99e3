extension Schema {
    static func array<Element: Sendable>(
        of element: Schema<Element>, count allowed: ClosedRange<Int>
    ) -> Schema where Value == [Element] {
        let shape = SchemaShape.array(of: element.shape, count: allowed)
        return Schema(shape, write: { "[\($0.map(element.write).joined(separator: ", "))]" }) { node, reader in
            guard case .array(let nodes) = node.content else {
                reader.report(at: node.offset, "found \(node.kind)", "use \(shape.summary)")
                return nil
            }
            reader.enterArray()
            guard nodes.count <= allowed.upperBound else {
                reader.report(at: node.offset, "found \(nodes.count) elements", "use at most \(allowed.upperBound)")
                return nil
            }
            if nodes.count < allowed.lowerBound {
                reader.report(at: node.offset, "found \(nodes.count) elements", "use at least \(allowed.lowerBound)")
            }
            let elements = nodes.enumerated().map { index, node in
                reader.inside(index: index) { element.read(node, &$0) }
            }
            return elements.contains { $0 == nil } ? nil : elements.map { $0! }
        }
    }

    /// An object whose keys are names that the operator chose.
    static func dictionary<Element: Sendable>(
        of element: Schema<Element>, maximumCount: Int
    ) -> Schema where Value == [String: Element] {
        Schema(.dictionary(of: element.shape), write: { _ in "{}" }) { node, reader in
            guard case .object(let members) = node.content, members.count <= maximumCount else {
                reader.report(at: node.offset, "found \(node.kind)", "use an object of at most \(maximumCount) keys")
                return nil
            }
            let values = reader.distinctMembers(members)
            var result: [String: Element] = [:]
            for member in members {
                let value = reader.inside(key: member.key) { reader in
                    values[member.key].flatMap { element.read($0, &reader) }
                }
                if let value { result[member.key] = value }
            }
            return result.count == values.count ? result : nil
        }
    }

    /// Objects of which the value of `key` says what the other keys are. Every alternative has `key` among its own
    /// fields; when its value is no tag, the alternative that knows the most of the keys reports that and the rest.
    static func tagged<Tag: WordChoice>(
        _ key: String, default fallback: Tag?, write: @escaping @Sendable (Value) -> String = { _ in "{}" },
        _ alternative: (Tag) -> Schema
    ) -> Schema {
        let alternatives = Dictionary(uniqueKeysWithValues: Tag.allCases.map { ($0, alternative($0)) })
        let shape = SchemaShape.tagged(
            key: key,
            alternatives: Dictionary(
                uniqueKeysWithValues: alternatives.map { ($0.key.rawValue, $0.value.fields) }))
        return Schema(shape, write: write) { node, reader in
            let tag =
                tag(of: node, key, default: fallback)
                ?? Tag.allCases.min { one, two in
                    alternatives[one]!.unknownKeys(in: node) < alternatives[two]!.unknownKeys(in: node)
                }
            return tag.flatMap { alternatives[$0]?.read(node, &reader) }
        }
    }

    private static func tag<Tag: WordChoice>(of node: JSON5Value, _ key: String, default fallback: Tag?) -> Tag? {
        guard let written = node.member(key) else { return fallback }
        guard case .string(let word) = written.value.content else { return nil }
        return Tag(rawValue: word)
    }

    private var fields: [FieldShape] {
        switch shape {
        case .object(let fields): fields
        case .scalar, .array, .dictionary, .tagged: []
        }
    }

    private func unknownKeys(in node: JSON5Value) -> Int {
        guard case .object(let members) = node.content else { return 0 }
        return members.count { member in !fields.contains { $0.key == member.key } }
    }
}
