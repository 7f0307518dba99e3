/// The description of the admin API for programs (OpenAPI 3.1), made of `AdminOperation` and the documents.
package enum OpenAPIDocument {
    package static func make(version: String) -> JSONValue {
        var paths: [String: JSONValue] = [:]
        for operation in AdminOperation.allCases {
            let endpoint = operation.endpoint
            let path = paths[endpoint.template] ?? [:]
            paths[endpoint.template] = path.with(["\(endpoint.method)": describe(operation)])
        }
        return [
            "openapi": "3.1.0",
            "info": [
                "title": "gwnode admin API", "version": .string(version),
                "description": """
                Any node can be asked; changes are forwarded to the leader. Refusals are problem details (RFC \
                9457). 503 with `retryable` means that nothing was changed, 504 that a change may still come. \
                A node with `adminToken` wants the token with all requests but those for /livez and /readyz. \
                Documents may get new members in later versions.
                """,
                "license": ["name": "Apache-2.0", "identifier": "Apache-2.0"],
            ],
            "servers": [["url": "/"]],
            "tags": .array(OperationDescription.Tag.allCases.map { ["name": .string($0.rawValue)] }),
            "security": [["token": []], [:]],
            "paths": .object(paths),
            "components": [
                "schemas": .object(DocumentSchema.all),
                "securitySchemes": ["token": ["type": "http", "scheme": "bearer"]],
            ],
        ]
    }

    private static func describe(_ operation: AdminOperation) -> JSONValue {
        let description = operation.description
        var members: [String: JSONValue] = [
            "operationId": .string(operation.rawValue), "summary": .string(description.summary),
            "tags": [.string(description.tag.rawValue)], "responses": responses(description),
        ]
        if operation.isOpen { members["security"] = [] }
        if !description.parameters.isEmpty {
            members["parameters"] = .array(description.parameters.map(describe))
        }
        if let body = description.body {
            members["requestBody"] = [
                "required": .boolean(body.isRequired), "content": [body.contentType: ["schema": body.schema]],
            ]
        }
        return .object(members)
    }

    private static func describe(_ parameter: OperationDescription.Parameter) -> JSONValue {
        [
            "name": .string(parameter.name), "in": .string(parameter.place.rawValue),
            "description": .string(parameter.summary), "required": .boolean(parameter.place == .path),
            "schema": parameter.schema,
        ]
    }

    private static func responses(_ description: OperationDescription) -> JSONValue {
        let answer = description.answer
        var success: JSONValue = [
            "description": .string(AdminResponse.reasonPhrase(answer.status)),
            "content": .object([answer.contentType: ["schema": answer.schema]]),
        ]
        if answer.hasEntityTag {
            let tag: JSONValue = ["description": "The revision, in quotes.", "schema": ["type": "string"]]
            success = success.with(["headers": ["ETag": tag]])
        }
        var responses = ["\(answer.status)": success]
        for status in OperationDescription.commonProblems + description.problems {
            responses["\(status)"] = [
                "description": .string(AdminResponse.reasonPhrase(status)),
                "content": ["application/problem+json": ["schema": DocumentSchema.reference(to: ProblemDetails.self)]],
            ]
        }
        return .object(responses)
    }
}

extension DocumentSchema {
    /// A document that has a name of its own in the OpenAPI document.
    private struct Named {
        let name: String
        let type: ObjectIdentifier
        let schema: JSONValue

        init<Document: Decodable>(_ name: String, _ type: Document.Type) {
            self.name = name
            self.type = ObjectIdentifier(type)
            schema = of(type)
        }
    }

    private static let named: [Named] = [
        .init("Backends", BackendsDocument.self), .init("BackendMode", BackendModeDocument.self),
        .init("BackendWeight", BackendWeightDocument.self), .init("Events", EventsDocument.self),
        .init("Health", HealthDocument.self),
        .init("History", HistoryDocument.self), .init("KeyRevision", KeyRevisionDocument.self),
        .init("Keys", KeysDocument.self), .init("Leader", LeaderDocument.self),
        .init("LeadershipMove", LeadershipMoveDocument.self), .init("Live", LiveDocument.self),
        .init("Members", MembersDocument.self),
        .init("NewMember", NewMemberDocument.self), .init("Node", NodeDocument.self),
        .init("Problem", ProblemDetails.self), .init("Registered", RegisteredDocument.self),
        .init("Registration", RegistrationDocument.self),
        .init("Registrations", RegistrationsDocument.self), .init("Restored", RestoredDocument.self),
        .init("Revision", RevisionDocument.self), .init("Rollback", RollbackDocument.self),
        .init("Status", StatusDocument.self), .init("Upstream", StatusDocument.Upstream.self),
        .init("Upgrade", UpgradeDocument.self), .init("Version", VersionDocument.self),
        .init("Wish", WishDocument.self),
    ]

    static var all: [String: JSONValue] { Dictionary(uniqueKeysWithValues: named.map { ($0.name, $0.schema) }) }

    static func reference(to type: any Decodable.Type) -> JSONValue {
        guard let name = named.first(where: { $0.type == ObjectIdentifier(type) })?.name else {
            preconditionFailure("\(type) is missing among the named documents")
        }
        return ["$ref": .string("#/components/schemas/\(name)")]
    }
}
