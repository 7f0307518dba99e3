/// What the OpenAPI document says of an operation besides its method and path.
struct OperationDescription {
    /// The group under which readers find it.
    enum Tag: String, CaseIterable {
        case node, cluster, configuration, upstreams, members, keys
    }

    /// A value in the path, the query or a header field.
    struct Parameter {
        enum Place: String {
            case path, query, header
        }

        var name: String
        var place: Place
        var summary: String
        var schema: JSONValue
    }

    struct Body {
        var contentType = "application/json"
        var schema: JSONValue
        var isRequired = true
    }

    struct Answer {
        var status: UInt16 = 200
        var contentType = "application/json"
        var schema: JSONValue
        var hasEntityTag = false

        /// A document of the API.
        static func document(_ type: any Decodable.Type, status: UInt16 = 200, hasEntityTag: Bool = false) -> Answer {
            Answer(status: status, schema: DocumentSchema.reference(to: type), hasEntityTag: hasEntityTag)
        }

        static func text(_ contentType: String = "text/plain; charset=utf-8", hasEntityTag: Bool = false) -> Answer {
            Answer(contentType: contentType, schema: ["type": "string"], hasEntityTag: hasEntityTag)
        }
    }

    var tag: Tag
    var summary: String
    var parameters: [Parameter] = []
    var body: Body?
    var answer: Answer
    /// The statuses of refusals, beside those that any request can meet.
    var problems: [UInt16] = []

    /// Any request can be malformed (400), without the token (401), from a foreign page (403), too large (413, 431),
    /// or late (408, 504).
    static let commonProblems: [UInt16] = [400, 401, 403, 408, 413, 431, 504]
    /// A linearizable read needs a quorum (503).
    static let reading: [UInt16] = [503]
    /// So does a write.
    static let writing: [UInt16] = [503]
}

extension OperationDescription.Parameter {
    static func path(_ name: String, _ summary: String, _ schema: JSONValue) -> Self {
        Self(name: name, place: .path, summary: summary, schema: schema)
    }

    static func query(_ name: String, _ summary: String, _ schema: JSONValue) -> Self {
        Self(name: name, place: .query, summary: summary, schema: schema)
    }

    static let stale = query(
        "stale", "Take what the asked node has, which may be old, without asking a quorum. The name alone is enough.",
        ["type": "string", "enum": ["", "true", "false"]])
    static let upstream = path("upstream", "The name of an upstream.", name)
    static let address = path(
        "address", "Address and port of a backend, as in 10.0.0.1:8080 or [fd00::1]:8080.",
        ["type": "string", "examples": ["10.0.0.1:8080"]])
    static let registration = path("name", "What the backend calls itself.", name)
    static let node = path(
        "id", "The id of a node.",
        ["type": "integer", "minimum": 1, "maximum": .integer(NodeConfiguration.nodeIDs.upperBound)])
    static let key = path("key", "The name of a key: \(KeyName.rule). Slashes may stand as they are.", keySchema)
    static let ifMatch = Self(
        name: "If-Match", place: .header, summary: "The revision that has to be in force, in quotes, or *.",
        schema: ["type": "string", "pattern": #"^(\*|"[0-9]{1,19}")$"#])
    static let ifNoneMatch = Self(
        name: "If-None-Match", place: .header, summary: "*: only if there is none yet. Not beside If-Match.",
        schema: ["type": "string", "enum": ["*"]])

    static func revision(_ name: String, _ summary: String) -> Self { query(name, summary, number) }

    static let number: JSONValue = ["type": "integer", "minimum": 0, "format": "uint64"]
    static let name: JSONValue = ["type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"]
    private static let keySchema: JSONValue = [
        "type": "string", "pattern": "^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}(/[A-Za-z0-9_-][A-Za-z0-9._-]{0,31})?$",
        "examples": ["deploy/lock"],
    ]
}
