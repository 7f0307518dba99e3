import CLinux
import Gateway
import Glibc
import Posix
import Testing

@Suite struct AdminTokenTests {
    private static let text = "0123456789abcdef0123456789ABCDEF"

    private static func file(_ content: String, mode: mode_t) throws -> String {
        let path = "/tmp/gwnode-token-\(getpid())-\(UInt64.random(in: 0 ... .max))"
        try replaceFile(path, with: Array(content.utf8))
        #expect(chmod(path, mode) == 0)
        return path
    }

    @Test(arguments: ["\(text)", "\(text)\n", "  \(text) \r\n\n"])
    func theFileHoldsTheTokenAndBlanks(content: String) throws {
        let path = try Self.file(content, mode: 0o600)
        defer { unlink(path) }
        #expect(try AdminToken(file: path).text == Self.text)
    }

    @Test(arguments: [0o640, 0o604, 0o666, 0o610])
    func aFileThatOthersCanUseIsRefused(mode: mode_t) throws {
        let path = try Self.file(Self.text, mode: mode)
        defer { unlink(path) }
        #expect(throws: AdminTokenError.readableByOthers(path, mode)) { try AdminToken(file: path) }
    }

    @Test(arguments: [
        "", "short", "0123456789abcdef 0123456789abcdef", "0123456789abcdéf", String(repeating: "x", count: 513),
    ])
    func whatIsNoTokenIsRefused(content: String) throws {
        let path = try Self.file(content, mode: 0o600)
        defer { unlink(path) }
        #expect(throws: AdminTokenError.unusable(path)) { try AdminToken(file: path) }
    }

    @Test(arguments: [
        ("Bearer \(text)", true), ("bearer \(text)", true), ("BEARER \(text)", true), ("Bearer  \(text)", false),
        ("Basic \(text)", false), (text, false), ("Bearer ", false), ("Bearer", false), ("Bearer \(text)x", false),
        ("Bearer \(text.dropLast())", false), ("Bearer \(text.lowercased())", false), ("", false),
    ])
    func onlyTheWholeTokenIsOne(field: String, isShown: Bool) throws {
        #expect(try #require(AdminToken(Self.text)).isShown(by: field) == isShown)
        #expect(!(try #require(AdminToken(Self.text)).isShown(by: nil)))
    }

    @Test(arguments: AdminOperation.allCases)
    func everyOperationButTheOpenOnesWantsIt(operation: AdminOperation) throws {
        func find(_ authorization: String?) throws -> AdminRoute {
            let path = operation.endpoint.template.split(separator: "/").map { $0.hasPrefix("{") ? "1" : String($0) }
            let request = AdminRequest(
                method: operation.endpoint.method, path: path,
                fields: .init(host: "127.0.0.1", authorization: authorization), author: "127.0.0.1")
            return try AdminRoute.find(request, names: [], token: AdminToken(Self.text))
        }
        for authorization in [nil, "Bearer \(Self.text)x"] {
            do {
                _ = try find(authorization)
                #expect([.getDashboard, .getLiveness, .getReadiness].contains(operation))
            } catch {
                let response = try #require(error as? AdminRoute.Refused).response
                #expect(response.status == 401 && response.challenge == "Bearer realm=\"gwnode\"")
            }
        }
        do { _ = try find("Bearer \(Self.text)") } catch {
            #expect(try #require(error as? AdminRoute.Refused).response.status != 401)
        }
    }
}
