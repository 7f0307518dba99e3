import Gateway
import Glibc
import Posix
import TLS

/// Certificates of a test in a directory of its own: an authority, and a server's.
final class TestSecrets {
    let directory: String
    private let authority: CertificateAuthority
    let tickets = TicketKeys()

    /// With this variable in the environment all tests of the data path speak TLS with the gateway.
    static let areForAll = getenv("GWNODE_TEST_TLS") != nil
    static var forAll: TestSecrets? { areForAll ? try? TestSecrets() : nil }

    /// A certificate for `names`, or more of them.
    init(_ names: [String] = ["test"], days: Int = 10) throws {
        var template = Array("/tmp/gwnode-test-XXXXXX".utf8CString)
        directory = template.withUnsafeMutableBufferPointer { String(cString: mkdtemp($0.baseAddress!)) }
        authority = try CertificateAuthority.make(name: "test", days: 10).authority
        try replaceFile(directory + "/ca.crt", with: authority.certificate.text)
        try issue("server", for: names, days: days)
    }

    deinit {
        guard let folder = opendir(directory) else { return }
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            unlink("\(directory)/\(name)")
        }
        closedir(folder)
        rmdir(directory)
    }

    @discardableResult
    func issue(
        _ file: String, for names: [String], days: Int = 10, startingInDays start: Int = 0,
        hasAddress: Bool = true
    ) throws -> TLSServerSettings.KeyPair {
        let (certificate, key) = try authority.issue(
            for: NodeName(cluster: "test", node: 1), hosts: names + (hasAddress ? ["127.0.0.1"] : []), days: days,
            startingInDays: start)
        let pair = pair(file)
        try replaceFile(pair.certificate, with: certificate.text)
        try replaceFile(pair.key, with: key.text)
        return pair
    }

    /// A certificate that nobody else has signed.
    func signItself(_ file: String, for name: String) throws {
        let (own, key) = try CertificateAuthority.make(name: name, days: 10)
        try replaceFile(pair(file).certificate, with: own.certificate.text)
        try replaceFile(pair(file).key, with: key.text)
    }

    func pair(_ file: String) -> TLSServerSettings.KeyPair {
        TLSServerSettings.KeyPair(certificate: "\(directory)/\(file).crt", key: "\(directory)/\(file).key")
    }

    var authorityFile: String { directory + "/ca.crt" }

    func server(_ change: (inout TLSServerSettings) -> Void = { _ in }) throws -> TLSServer {
        var settings = TLSServerSettings(certificates: [pair("server")])
        change(&settings)
        return try TLSServer(settings, name: "web", tickets: tickets)
    }

    func terms(_ change: (inout TLSServerSettings) -> Void = { _ in }) throws -> ListenerTerms {
        ListenerTerms(server: try server(change))
    }

    func client(_ name: String? = nil, certificate: String? = nil) throws -> TLSClient {
        try TLSClient(
            TLSClientSettings(
                authority: authorityFile, serverName: name, certificate: certificate.map { pair($0) }))
    }
}
