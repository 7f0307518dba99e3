import FoundationEssentials
import Gateway
import Posix
import Testing

/// The document is held against the routes here; a script in Tests/API holds it against a real cluster's answers.
@Suite struct OpenAPIDocumentTests {
    private static let document = OpenAPIDocument.make(version: "0.1.0")

    /// A path with values for its parameters, as segments.
    private static func path(of operation: AdminOperation) -> [String] {
        let values = [
            "{upstream}": "app", "{address}": "10.0.0.1:80", "{id}": "4", "{key}": "deploy/lock", "{name}": "web-1",
        ]
        return operation.endpoint.template.split(separator: "/").map { values[String($0)] ?? String($0) }
    }

    private static func request(_ method: HTTPMethod, _ path: [String], _ body: String = "") -> AdminRequest {
        AdminRequest(
            method: method, path: path, fields: .init(host: "127.0.0.1"), body: Array(body.utf8),
            author: "127.0.0.1")
    }

    @Test(arguments: AdminOperation.allCases)
    func everyOperationIsRoutedAsDescribed(operation: AdminOperation) throws {
        let endpoint = operation.endpoint
        let found = try AdminOperation.find(Self.request(endpoint.method, Self.path(of: operation)))
        #expect(found.operation == operation)
        #expect(!found.parameters.values.contains { $0.isEmpty || $0.contains("{") })
        if endpoint.method == .get {
            #expect(try AdminOperation.find(Self.request(.head, Self.path(of: operation))).operation == operation)
        }
        do {
            _ = try AdminOperation.find(Self.request(.patch, Self.path(of: operation)))
            Issue.record("PATCH is routed")
        } catch {
            #expect(error.response.status == 405)
            #expect(error.response.allow?.contains("\(endpoint.method)".uppercased()) == true)
        }
    }

    @Test(arguments: AdminOperation.allCases)
    func everyOperationIsDescribed(operation: AdminOperation) throws {
        let endpoint = operation.endpoint
        let description = try #require(Self.document["paths"]?[endpoint.template]?["\(endpoint.method)"])
        #expect(description["operationId"] == .string(operation.rawValue))
        let responses = try #require(description["responses"]?.members)
        #expect(responses.keys.contains { $0.hasPrefix("2") } && responses["400"] != nil)
        let declared = (description["parameters"]?.elements ?? []).filter { $0["in"] == "path" }.map { $0["name"] }
        let written = endpoint.template.split(separator: "/").filter { $0.hasPrefix("{") }.map {
            JSONValue.string(String($0.dropFirst().dropLast()))
        }
        #expect(declared == written)
    }

    @Test func nothingElseIsDescribed() throws {
        let paths = try #require(Self.document["paths"]?.members)
        #expect(paths.values.reduce(0) { $0 + ($1.members?.count ?? 0) } == AdminOperation.allCases.count)
    }

    @Test func everyReferenceLeadsSomewhereAndEverySchemaIsReferredTo() throws {
        let schemas = try #require(Self.document["components"]?["schemas"]?.members)
        var references: Set<String> = []
        func collect(_ value: JSONValue) {
            if case .string(let name)? = value["$ref"] { references.insert(name) }
            for part in value.members?.values.map(\.self) ?? value.elements ?? [] { collect(part) }
        }
        collect(Self.document)
        #expect(references == Set(schemas.keys.map { "#/components/schemas/\($0)" }))
    }

    /// Schemas are found by decoding from nothing; here is what is to be found in some.
    @Test func schemasSayWhatTheDocumentsHold() throws {
        let schemas = try #require(Self.document["components"]?["schemas"])
        #expect(schemas["BackendMode"]?["properties"]?["mode"]?["enum"] == ["enabled", "draining", "disabled"])
        #expect(schemas["Rollback"]?["required"] == [])
        #expect(schemas["Revision"]?["properties"]?["revision"]?["type"] == ["integer", "null"])
        #expect(schemas["Revision"]?["required"] == ["revision"])
        let node = try #require(schemas["Status"]?["properties"]?["nodes"]?["items"])
        #expect(node["properties"]?["role"]?["enum"] == ["leader", "follower", "candidate", "unreachable"])
        #expect(node["properties"]?["transition"]?["enum"] == ["joining", "leaving", .null])
        #expect(node["properties"]?["alive"]?["type"] == "boolean")
    }

    @Test func anUnknownPathIsAnsweredWithWhereToLook() {
        #expect {
            try AdminRoute.find(Self.request(.get, ["v1", "nothing"]), names: [])
        } throws: { error in
            let body = (error as? AdminRoute.Refused)?.response.body ?? []
            return String(decoding: body, as: UTF8.self).contains("/v1/openapi.json")
        }
    }
}

extension JSONValue {
    fileprivate var members: [String: JSONValue]? {
        if case .object(let members) = self { members } else { nil }
    }

    fileprivate var elements: [JSONValue]? {
        if case .array(let elements) = self { elements } else { nil }
    }

    fileprivate subscript(_ key: String) -> JSONValue? { members?[key] }
}
