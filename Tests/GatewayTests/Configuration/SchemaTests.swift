import Gateway
import Testing

/// Every key of a schema with its path, alternatives of tagged objects included.
private func fields(of shape: SchemaShape, at path: String = "") -> [(path: String, field: FieldShape)] {
    switch shape {
    case .scalar: []
    case .array(let element, _): fields(of: element, at: "\(path)[]")
    case .dictionary(let element): fields(of: element, at: "\(path).*")
    case .object(let list): list.flatMap { [("\(path).\($0.key)", $0)] + fields(of: $0.shape, at: "\(path).\($0.key)") }
    case .tagged(_, let alternatives):
        alternatives.sorted { $0.key < $1.key }.flatMap { fields(of: .object($0.value), at: "\(path)<\($0.key)>") }
    }
}

/// The keys at `path` that may be left out, written with their defaults.
private func writtenDefaults(_ all: [(path: String, field: FieldShape)], at path: String) -> String {
    all.filter { $0.path == "\(path).\($0.field.key)" }
        .compactMap { item in item.field.defaultText.map { "\(item.field.key): \($0)" } }
        .joined(separator: ", ")
}

@Suite struct SchemaTests {
    private let gateway = fields(of: GatewayConfiguration.schema.shape)
    private let node = fields(of: NodeConfiguration.schema.shape)

    @Test func everyKeyIsDocumentedInASentence() {
        for (path, field) in gateway + node {
            #expect(field.documentation.count > 10 && field.documentation.hasSuffix("."), "\(path)")
        }
    }

    @Test(arguments: ["tcp", "http", "none"]) func writingTheGatewayFilesDefaultsChangesNothing(type: String) throws {
        func file(_ root: String, _ route: String, _ upstream: String, _ backend: String, _ health: String) -> String {
            """
            {listeners: [{name: 'web', port: 80}], \(root)
            routes: [{path: '/', upstream: 'a', \(route)}],
            upstreams: [{name: 'a', backends: [{address: '10.0.0.1:80', \(backend)}], \(upstream)\(health)}]}
            """
        }
        let upstream = ".upstreams[]<round-robin>"
        let defaults = writtenDefaults(gateway, at: upstream).replacing("health: {}, ", with: "").replacing(
            "timeouts: {}, ", with: "")
        let timeouts = writtenDefaults(gateway, at: "\(upstream).timeouts")
        let health = writtenDefaults(gateway, at: "\(upstream).health<\(type)>").replacing(
            "type: \"tcp\"", with: "type: '\(type)'")
        let explicit = file(
            writtenDefaults(gateway, at: "") + ",", writtenDefaults(gateway, at: ".routes[]"),
            "\(defaults), timeouts: {\(timeouts)}, ",
            writtenDefaults(gateway, at: "\(upstream).backends[]"), "health: {\(health)}")
        let plain = file("", "", "", "", "health: {type: '\(type)'}")
        #expect(explicit.contains("retries: 2") && explicit.contains("connect: \"1500ms\""))
        #expect(
            try GatewayConfiguration.read(Array(explicit.utf8), file: "f")
                == GatewayConfiguration.read(Array(plain.utf8), file: "f"))
    }

    @Test func writingTheNodeFilesDefaultsChangesNothing() throws {
        func file(_ rest: String) -> [UInt8] {
            let peers = "[{id: 1, name: 'gw1', raft: 'a:1', admin: 'a:2'}]"
            return Array(
                "{cluster: 'c', node: {id: 1, name: 'gw1'}, dataDirectory: 'd', peers: \(peers), \(rest)}".utf8)
        }
        let defaults = writtenDefaults(node, at: "")
        #expect(defaults.contains("timing: \"lan\""))
        #expect(
            try NodeConfiguration.read(file(defaults), file: "f") == NodeConfiguration.read(file(""), file: "f"))
    }
}
