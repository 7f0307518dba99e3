/// How one kind of value is written in a configuration file: reads it, checks it and describes it.
///
/// A schema never stops at the first problem: it reports to the reader and goes on, and gives nil at the end.
package struct Schema<Value: Sendable>: Sendable {
    package let shape: SchemaShape
    let read: @Sendable (JSON5Value, inout SchemaReader) -> Value?
    /// A value as it would be written, to document defaults.
    let write: @Sendable (Value) -> String

    init(
        _ shape: SchemaShape, write: @escaping @Sendable (Value) -> String = { "\($0)" },
        read: @escaping @Sendable (JSON5Value, inout SchemaReader) -> Value?
    ) {
        self.shape = shape
        self.read = read
        self.write = write
    }

    /// Reads a whole file of this schema, or throws everything that is wrong with it.
    package func read(_ bytes: [UInt8], file: String) throws(ConfigurationProblems) -> Value {
        let source = SourceText(file: file, bytes: bytes)
        let root: JSON5Value
        do throws(JSON5SyntaxError) {
            root = try JSON5Parser.parse(bytes)
        } catch {
            throw ConfigurationProblems(problems: [
                source.problem(at: error.offset, path: "syntax", wrong: error.wrong, right: error.right)
            ])
        }
        var reader = SchemaReader(source: source)
        let value = read(root, &reader)
        let problems = reader.finish()
        guard let value, problems.isEmpty else { throw ConfigurationProblems(problems: problems) }
        return value
    }

    /// The same, converted.
    func map<Result: Sendable>(
        write: @escaping @Sendable (Result) -> String = { "\($0)" }, _ convert: @escaping @Sendable (Value) -> Result
    ) -> Schema<Result> {
        Schema<Result>(shape, write: write) { node, reader in self.read(node, &reader).map(convert) }
    }

    /// The same, with a further rule about the whole value. A broken one is reported at the value of `key`, if given.
    func rule(
        at key: String? = nil, _ holds: @escaping @Sendable (Value) -> Bool, wrong: String, right: String
    ) -> Schema {
        Schema(shape, write: write) { node, reader in
            guard let value = self.read(node, &reader) else { return nil }
            if holds(value) { return value }
            guard let key else {
                reader.report(at: node.offset, wrong, right)
                return nil
            }
            let offset = node.member(key)?.value.offset ?? node.offset
            reader.inside(key: key) { $0.report(at: offset, wrong, right) }
            return nil
        }
    }

    /// The same, but no two of the nearest array's elements may agree in it.
    func distinct(by text: @escaping @Sendable (Value) -> String = { "\($0)" }) -> Schema {
        Schema(shape, write: write) { node, reader in
            let value = self.read(node, &reader)
            if let value { reader.define(text(value), at: node.offset) }
            return value
        }
    }

    /// The same, but it must be a value that is `distinct` at `place`, such as `upstreams[].name`.
    func reference(to place: String, _ what: String) -> Schema {
        Schema(shape, write: write) { node, reader in
            let value = self.read(node, &reader)
            if let value { reader.refer(to: "\(value)", in: place, what, at: node.offset) }
            return value
        }
    }
}

/// What a schema accepts, for messages and for the reference documentation.
package indirect enum SchemaShape: Hashable, Sendable {
    /// A noun with its article, as `a whole number from 1 to 9`.
    case scalar(String)
    case array(of: SchemaShape, count: ClosedRange<Int>)
    case dictionary(of: SchemaShape)
    case object([FieldShape])
    /// Objects of which one key's value says what the other keys are.
    case tagged(key: String, alternatives: [String: [FieldShape]])

    /// A noun with its article.
    var summary: String {
        switch self {
        case .scalar(let noun): noun
        case .array(_, let count): "an array of \(count.lowerBound) to \(count.upperBound) elements"
        case .dictionary, .object, .tagged: "an object"
        }
    }
}

/// One key of an object.
package struct FieldShape: Hashable, Sendable {
    package var key: String
    package var shape: SchemaShape
    package var isRequired: Bool
    /// As it would be written; nil when leaving the key out means something that can not be written.
    package var defaultText: String?
    package var documentation: String
}

extension JSON5Value {
    /// The first member of that key, nil when there is none or this is no object.
    func member(_ key: String) -> JSON5Member? {
        switch content {
        case .object(let members): members.first { $0.key == key }
        case .null, .boolean, .number, .string, .array: nil
        }
    }
}
