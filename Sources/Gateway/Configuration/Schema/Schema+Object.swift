/// One key of an object with the schema of its value.
struct Field<Value: Sendable>: Sendable {
    let key: String
    let shape: FieldShape
    /// Nothing for a key that is left out.
    let read: @Sendable (JSON5Value?, inout SchemaReader) -> Value?

    /// A key that must be there.
    static func required(_ key: String, _ schema: Schema<Value>, _ documentation: String) -> Field {
        let shape = FieldShape(key: key, shape: schema.shape, isRequired: true, documentation: documentation)
        return Field(key: key, shape: shape) { node, reader in node.flatMap { schema.read($0, &reader) } }
    }

    /// A key that may be left out, which means `value`.
    static func optional(
        _ key: String, _ schema: Schema<Value>, default value: Value, _ documentation: String
    ) -> Field {
        let shape = FieldShape(
            key: key, shape: schema.shape, isRequired: false, defaultText: schema.write(value),
            documentation: documentation)
        return Field(key: key, shape: shape) { node, reader in
            guard let node else { return value }
            return schema.read(node, &reader)
        }
    }

    /// A key that may be left out, which means nil.
    static func optional<Wrapped: Sendable>(
        _ key: String, _ schema: Schema<Wrapped>, _ documentation: String
    ) -> Field where Value == Wrapped? {
        let shape = FieldShape(key: key, shape: schema.shape, isRequired: false, documentation: documentation)
        return Field(key: key, shape: shape) { node, reader in
            guard let node else { return .some(nil) }
            return schema.read(node, &reader).map { .some($0) }
        }
    }
}

extension Schema {
    /// An object with exactly these keys.
    static func object<each Part: Sendable>(
        _ fields: repeat Field<each Part>, make: @escaping @Sendable (repeat each Part) -> Value
    ) -> Schema {
        var shapes: [FieldShape] = []
        repeat shapes.append((each fields).shape)
        let fieldShapes = shapes
        return Schema(.object(fieldShapes), write: { _ in "{}" }) { node, reader in
            guard let members = reader.members(of: node, fieldShapes) else { return nil }
            let parts = (repeat reader.read(each fields, members))
            for part in repeat each parts {
                if part == nil { return nil }
            }
            return make(repeat (each parts)!)
        }
    }
}

extension SchemaReader {
    /// The object's members by key, after a report of every key that is unknown, missing or there twice.
    fileprivate mutating func members(of node: JSON5Value, _ fields: [FieldShape]) -> [String: JSON5Value]? {
        let known = fields.map(\.key)
        guard case .object(let members) = node.content else {
            report(at: node.offset, "found \(node.kind)", "use an object with \(known.joined(separator: ", "))")
            return nil
        }
        let byKey = distinctMembers(members)
        for member in members where !known.contains(member.key) {
            inside(key: member.key) { reader in
                reader.report(
                    at: member.keyOffset, "unknown key",
                    SchemaReader.advice(for: member.key, among: known, else: "remove it"))
            }
        }
        for field in fields where field.isRequired && byKey[field.key] == nil {
            inside(key: field.key) { $0.report(at: node.offset, "missing", "use \(field.shape.summary)") }
        }
        return byKey
    }

    /// The members by key, after a report of every key that is there twice.
    mutating func distinctMembers(_ members: [JSON5Member]) -> [String: JSON5Value] {
        var first: [String: JSON5Member] = [:]
        for member in members {
            guard let earlier = first.updateValue(member, forKey: member.key) else { continue }
            let line = line(at: earlier.keyOffset)
            inside(key: member.key) { $0.report(at: member.keyOffset, "duplicate key", "the first is on line \(line)") }
        }
        return first.mapValues(\.value)
    }

    fileprivate mutating func read<Part: Sendable>(_ field: Field<Part>, _ members: [String: JSON5Value]) -> Part? {
        inside(key: field.key) { field.read(members[field.key], &$0) }
    }
}
