import Glibc
import Posix
import TLS
import Testing

/// The files of a node's certificate, as operators get them wrong.
@Suite
struct NodeCertificateTests {
    /// A directory with the files of node 1.
    private final class Directory {
        let path: String
        let authority: CertificateAuthority

        init() throws {
            var template = Array("/tmp/gwnode-test-XXXXXX".utf8CString)
            path = template.withUnsafeMutableBufferPointer { String(cString: mkdtemp($0.baseAddress!)) }
            authority = try CertificateAuthority.make(name: "test", days: 10).authority
            try replaceFile(files.authority, with: authority.certificate.text)
            try issue(days: 5)
        }

        deinit {
            for file in [files.authority, files.certificate, files.key] { unlink(file) }
            rmdir(path)
        }

        var files: NodeCertificateFiles {
            NodeCertificateFiles(authority: path + "/ca.crt", certificate: path + "/1.crt", key: path + "/1.key")
        }

        func issue(node: UInt64 = 1, days: Int) throws {
            let (certificate, key) = try authority.issue(
                for: NodeName(cluster: "shop", node: node), hosts: [], days: days)
            try replaceFile(files.certificate, with: certificate.text)
            try replaceFile(files.key, with: key.text)
        }

        func load(node: UInt64 = 1) throws -> NodeCertificate {
            try NodeCertificate(files, name: NodeName(cluster: "shop", node: node), at: .zero)
        }

        func reason(node: UInt64 = 1) -> String {
            do { _ = try load(node: node) } catch { return "\(error)" }
            return "none"
        }
    }

    @Test func goodFilesAreTaken() throws {
        let directory = try Directory()
        let certificate = try directory.load()
        let now = time(nil)
        #expect(abs(certificate.expirySeconds - (now + 5 * 86_400)) < 100)
        #expect(certificate.warning(atSeconds: now)?.contains("expires in") == true)
        #expect(certificate.warning(atSeconds: now - 40 * 86_400) == nil)
        #expect(certificate.warning(atSeconds: now + 6 * 86_400)?.contains("has expired") == true)
    }

    @Test func eachFaultIsNamedWithItsFile() throws {
        let directory = try Directory()
        let files = directory.files
        #expect(directory.reason(node: 2).contains("it is for gwnode://shop/node/1; this is node 2 of cluster 'shop'"))

        chmod(files.key, 0o644)
        #expect(directory.reason().contains("\(files.key): every user of this machine may use this key"))
        chmod(files.key, 0o600)

        let other = try CertificateAuthority.make(name: "other", days: 1)
        try replaceFile(files.key, with: other.key.text)
        #expect(directory.reason().contains("the key does not belong to the certificate"))

        try replaceFile(files.key, with: Array("nonsense".utf8))
        #expect(directory.reason().contains("\(files.key): it is no private key in PEM without a pass phrase"))

        unlink(files.key)
        #expect(directory.reason().contains("\(files.key): No such file or directory"))

        try replaceFile(files.certificate, with: Array("nonsense".utf8))
        #expect(directory.reason().contains("\(files.certificate): it is no certificate in PEM"))
    }

    @Test func renewedFilesAreTakenAndBrokenOnesAreNot() throws {
        let directory = try Directory()
        let certificate = try directory.load()
        let first = certificate.context(at: .zero)
        #expect(certificate.context(at: .zero + .seconds(2)) === first)

        try directory.issue(days: 9)
        let second = certificate.context(at: .zero + .seconds(4))
        #expect(second !== first)
        #expect(certificate.expirySeconds > time(nil) + 8 * 86_400)

        try replaceFile(directory.files.certificate, with: Array("half a fi".utf8))
        #expect(certificate.context(at: .zero + .seconds(6)) === second)
    }
}
