/// Finds the JSON Schema of a document by decoding it from nothing: what its decoding asks for is what it holds. So a
/// property that is added to a document is in the OpenAPI document without anybody thinking of it.
enum DocumentSchema {
    static func of<Document: Decodable>(_ type: Document.Type) -> JSONValue { schema(of: type).schema }

    /// The schema of a type and a value to go on with.
    static func schema<Value: Decodable>(of type: Value.Type) -> (schema: JSONValue, sample: Value) {
        if let (schema, sample) = primitive(type) { return (schema, force(sample)) }
        if let list = type as? any RecordedArray.Type { return (list.schema, force(list.empty)) }
        if let words = type as? any RecordedWord.Type, let first = words.recorded {
            return (["type": "string", "enum": .array(first.words.map { .string($0) })], force(first.sample))
        }
        let recorder = SchemaRecorder()
        guard let sample = try? Value(from: recorder) else {
            preconditionFailure("\(type) decodes itself in a way that can not be recorded")
        }
        var schema = recorder.schema
        if let described = type as? any DescribedDocument.Type { schema = schema.describing(described.properties) }
        return (schema, sample)
    }

    private static func primitive(_ type: Any.Type) -> (schema: JSONValue, sample: Any)? {
        switch type {
        case is String.Type: (["type": "string"], "")
        case is Bool.Type: (["type": "boolean"], false)
        case is Double.Type: (["type": "number"], 0.0)
        case let type as any UnsignedInteger.Type: (["type": "integer", "minimum": 0], zero(type))
        case let type as any SignedInteger.Type: (["type": "integer"], zero(type))
        case _: nil
        }
    }

    private static func zero<Number: BinaryInteger>(_ type: Number.Type) -> Any { Number.zero }

    private static func force<Value>(_ value: Any) -> Value {
        guard let value = value as? Value else { preconditionFailure("the sample is of the type that was recorded") }
        return value
    }
}

/// A document of which more can be said than its types say.
protocol DescribedDocument {
    /// What to add to the schemas of properties.
    static var properties: [String: [String: JSONValue]] { get }
}

extension JSONValue {
    fileprivate func describing(_ details: [String: [String: JSONValue]]) -> JSONValue {
        guard case .object(var schema) = self, case .object(var properties) = schema["properties"] else { return self }
        for (name, detail) in details {
            guard let property = properties[name] else { preconditionFailure("there is no property \(name)") }
            properties[name] = property.with(detail)
        }
        schema["properties"] = .object(properties)
        return .object(schema)
    }

    /// `["string"]` of a schema that says so becomes `["string", "null"]`.
    fileprivate var orNull: JSONValue {
        guard case .object(let schema) = self, case .string(let type) = schema["type"] else { return self }
        guard case .array(let words) = schema["enum"] else { return with(["type": [.string(type), "null"]]) }
        return with(["type": [.string(type), "null"], "enum": .array(words + [.null])])
    }
}

private protocol RecordedArray {
    static var schema: JSONValue { get }
    static var empty: Any { get }
}

extension Array: RecordedArray where Element: Decodable {
    fileprivate static var schema: JSONValue { ["type": "array", "items": DocumentSchema.of(Element.self)] }
    fileprivate static var empty: Any { [Element]() }
}

/// An enumeration whose raw values are the words in the document.
protocol RecordedWord {
    static var recorded: (words: [String], sample: Any)? { get }
}

extension RecordedWord where Self: CaseIterable & RawRepresentable<String> {
    static var recorded: (words: [String], sample: Any)? {
        allCases.first.map { (allCases.map(\.rawValue), $0) }
    }
}

/// Notes what is asked of it and answers with anything.
private final class SchemaRecorder: Decoder {
    let codingPath: [any CodingKey] = []
    let userInfo: [CodingUserInfoKey: Any] = [:]
    private var single: JSONValue?
    private var properties: [String: JSONValue] = [:]
    private var optional: Set<String> = []

    var schema: JSONValue {
        if let single { return single }
        let required = properties.keys.filter { !optional.contains($0) }.sorted()
        return [
            "type": "object", "properties": .object(properties),
            "required": .array(required.map { .string($0) }),
        ]
    }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedDecodingContainer<Key> {
        KeyedDecodingContainer(Keyed(recorder: self))
    }
    func unkeyedContainer() -> any UnkeyedDecodingContainer { preconditionFailure("lists are arrays") }
    func singleValueContainer() -> any SingleValueDecodingContainer { Single(recorder: self) }

    private struct Single: SingleValueDecodingContainer {
        let recorder: SchemaRecorder
        let codingPath: [any CodingKey] = []

        /// Who asks would write null too.
        func decodeNil() -> Bool {
            recorder.single = .null
            return false
        }

        func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
            let (schema, sample) = DocumentSchema.schema(of: type)
            recorder.single = recorder.single == .null ? schema.orNull : schema
            return sample
        }
    }

    private struct Keyed<Key: CodingKey>: KeyedDecodingContainerProtocol {
        let recorder: SchemaRecorder
        let codingPath: [any CodingKey] = []
        let allKeys: [Key] = []

        /// Asked only for what may be absent.
        func contains(_ key: Key) -> Bool {
            recorder.optional.insert(key.stringValue)
            return true
        }
        func decodeNil(forKey key: Key) -> Bool { false }

        func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
            let (schema, sample) = DocumentSchema.schema(of: type)
            let mayBeNull = recorder.optional.contains(key.stringValue)
            recorder.properties[key.stringValue] = mayBeNull ? schema.orNull : schema
            return sample
        }

        func nestedContainer<NestedKey: CodingKey>(
            keyedBy type: NestedKey.Type, forKey key: Key
        ) -> KeyedDecodingContainer<NestedKey> { preconditionFailure("documents nest by type") }
        func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedDecodingContainer {
            preconditionFailure("documents nest by type")
        }
        func superDecoder() -> any Decoder { recorder }
        func superDecoder(forKey key: Key) -> any Decoder { recorder }
    }
}

extension BackendMode: RecordedWord {}
extension MemberDirectory.Standing: RecordedWord {}
extension MemberDirectory.Transition: RecordedWord {}
extension NodeRole: RecordedWord {}
extension StatusVerdict.Condition: RecordedWord {}
