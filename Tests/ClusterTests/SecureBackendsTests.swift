import CLinux
import FoundationEssentials
import Glibc
import Posix
import TLS
import Testing

extension ClusterTests {
    /// TLS to backends that are OpenSSL's own servers.
    @Suite struct SecureBackendsTests {
        /// One `openssl s_server`, which answers a GET of `/page` with that file: a whole response.
        private final class Server {
            let port: UInt16
            private let process: ChildProcess

            init(_ pair: TLSServerSettings.KeyPair, in directory: String) throws {
                let port = freePorts(1)[0]
                self.port = port
                let page = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
                try replaceFile("\(directory)/page", with: Array(page.utf8))
                let log = open("\(directory)/server-\(port).log", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
                let output = FileDescriptor(owning: log)
                process = try ChildProcess(
                    "/bin/sh",
                    [
                        "-c",
                        "cd \(directory) && exec openssl s_server -accept 127.0.0.1:\(port) -cert \(pair.certificate) "
                            + "-key \(pair.key) -HTTP",
                    ], output: output.raw)
                let isThere = eventually { Self.accepts(port) ? true : nil }
                try #require(isThere == true, "openssl s_server listens")
            }

            deinit {
                process.signal(SIGKILL)
                _ = process.wait()
            }

            private static func accepts(_ port: UInt16) -> Bool {
                let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
                defer { close(descriptor) }
                return SocketAddress("127.0.0.1:\(port)")!.withSockaddr { connect(descriptor, $0, $1) } == 0
            }
        }

        /// Certificates in the cluster's directory.
        private struct Secrets {
            let directory: String
            let authority: CertificateAuthority

            init(_ directory: String, authority file: String = "ca.crt") throws {
                self.directory = directory
                authority = try CertificateAuthority.make(name: "test authority", days: 10).authority
                try replaceFile("\(directory)/\(file)", with: authority.certificate.text)
            }

            private func write(_ file: String, _ made: (certificate: Certificate, key: PrivateKey)) throws -> KeyPair {
                let pair = KeyPair(certificate: "\(directory)/\(file).crt", key: "\(directory)/\(file).key")
                try replaceFile(pair.certificate, with: made.certificate.text)
                try replaceFile(pair.key, with: made.key.text)
                return pair
            }

            func issue(_ file: String, for host: String, days: Int = 10, start: Int = 0) throws -> KeyPair {
                let node = NodeName(cluster: "test", node: 1)
                return try write(
                    file, authority.issue(for: node, hosts: [host], days: days, startingInDays: start))
            }

            func signItself(_ file: String, for name: String) throws -> KeyPair {
                let (own, key) = try CertificateAuthority.make(name: name, days: 10)
                return try write(file, (own.certificate, key))
            }
        }

        private typealias KeyPair = TLSServerSettings.KeyPair

        private func file(_ cluster: TestCluster, authority: String, ports: [UInt16], more: String = "") -> String {
            let list = ports.map { "{ address: \"127.0.0.1:\($0)\" }" }.joined(separator: ", ")
            return """
                {
                  virtualAddresses: ["\(cluster.virtualAddress.ip)"],
                  listeners: [{ name: "web", port: \(cluster.virtualAddress.port) }],
                  routes: [{ path: "/", upstream: "app" }],
                  upstreams: [{ name: "app", backends: [\(list)],
                    tls: { authority: "\(authority)", serverName: "api.test"\(more) },
                    timeouts: { connect: "10s" }, health: { type: "http", path: "/page", interval: "10s", timeout: "10s" } }],
                }
                """
        }

        /// Workers hear of a backend's recovery a moment after the status.
        private static func page(of cluster: TestCluster) -> String? {
            eventually {
                let answer = try? BlockingClient.get(cluster.virtualAddress, "/page")
                return answer?.status == 200 ? answer?.body : nil
            }
        }

        @Test func impostorsAreDownAndTheStatusSaysWhy() throws {
            let cluster = try TestCluster(nodes: 1, backends: 1)
            let secrets = try Secrets(cluster.directory)
            let stranger = try Secrets(cluster.directory, authority: "stranger.crt")
            let good = try Server(try secrets.issue("good", for: "api.test"), in: cluster.directory)
            let bad: [(Server, reason: String)] = [
                (
                    try Server(try secrets.issue("old", for: "api.test", days: -3), in: cluster.directory),
                    "its certificate expired on 20"
                ),
                (
                    try Server(try secrets.issue("early", for: "api.test", start: 3), in: cluster.directory),
                    "its certificate is not valid before 20"
                ),
                (
                    try Server(try secrets.issue("other", for: "other.test"), in: cluster.directory),
                    "its certificate is not for api.test, but for other.test"
                ),
                (
                    try Server(try secrets.signItself("own", for: "api.test"), in: cluster.directory),
                    "its certificate is self-signed, and not in tls.authority"
                ),
                (
                    try Server(try stranger.issue("strange", for: "api.test"), in: cluster.directory),
                    "its certificate is of an unknown authority"
                ),
            ]
            let plain = cluster.backends[0].address.port
            let wanted = bad.map { ($0.0.port, $0.reason) } + [(plain, "it does not speak TLS")]
            let text = file(
                cluster, authority: cluster.directory + "/ca.crt", ports: [good.port] + wanted.map(\.0))
            let (applied, said) = try cluster.apply(text: text)
            try #require(applied == 0, "\(said)")
            for (port, reason) in wanted {
                let shown = eventually { () -> Bool? in
                    let backend = cluster.status()?.backend("127.0.0.1:\(port)", in: "app")
                    return backend?.healthy == false && backend?.reason?.contains(reason) == true ? true : nil
                }
                #expect(shown == true, "\(reason)\n\((try? cluster.run(["status"]).output) ?? "")\n\(cluster.logs())")
            }
            let up = eventually { () -> Bool? in
                cluster.status()?.backend("127.0.0.1:\(good.port)", in: "app")?.reason == "status 200" ? true : nil
            }
            #expect(up == true, "\((try? cluster.run(["status"]).output) ?? "")")
            #expect(Self.page(of: cluster) == "ok", "\(cluster.logs())")
            let (status, shown) = try cluster.run(["status"])
            #expect(status == 1 && shown.contains("is down (its certificate expired on 20"), "\(shown)")
            withExtendedLifetime((good, bad)) {}
        }

        @Test func filesAreReadAgainAndThoseThatCanNotBeUsedAreNamed() throws {
            let cluster = try TestCluster(nodes: 1, backends: 1)
            let secrets = try Secrets(cluster.directory)
            let server = try Server(try secrets.issue("good", for: "api.test"), in: cluster.directory)
            let other = try Secrets(cluster.directory, authority: "ca2.crt")
            let absent = file(cluster, authority: "\(cluster.directory)/absent.crt", ports: [server.port])
            let mismatched = file(
                cluster, authority: "\(cluster.directory)/ca.crt", ports: [server.port],
                more:
                    ", certificate: { certificate: \"\(cluster.directory)/good.crt\", key: \"\(try other.issue("x", for: "x").key)\" }"
            )
            for (text, said) in [(absent, "absent.crt"), (mismatched, "x.key: the key does not belong")] {
                let (status, output) = try cluster.apply(text: text)
                #expect(status == 1 && output.contains(said) && output.contains("upstreams[0].tls: "), "\(output)")
            }
            // Trusting the wrong authority at first, then, by the same name of the file, the right one.
            let trusted = "\(cluster.directory)/trusted.crt"
            try replaceFile(trusted, with: other.authority.certificate.text)
            let (applied, said) = try cluster.apply(
                text: file(cluster, authority: trusted, ports: [server.port])
                    .replacing(
                        "interval: \"10s\", timeout: \"10s\"", with: "interval: \"2s\", timeout: \"2s\", rise: 1"))
            try #require(applied == 0, "\(said)")
            func reason() -> String? { cluster.status()?.backend("127.0.0.1:\(server.port)", in: "app")?.reason }
            #expect(eventually { reason()?.contains("unknown authority") == true ? true : nil } == true)
            try replaceFile(trusted, with: secrets.authority.certificate.text)
            #expect(eventually { reason() == "status 200" ? true : nil } == true, "\(cluster.logs())")
            #expect(Self.page(of: cluster) == "ok", "\(cluster.logs())")
            // A file that is gone leaves in force what there was, and the node says so.
            unlink(trusted)
            let problem = eventually { cluster.status()?.nodes[0].problems.first }
            #expect(problem?.contains("the former ones stay in force") == true, "\(problem ?? cluster.logs())")
            #expect(problem?.contains("trusted.crt") == true)
            #expect((try? BlockingClient.get(cluster.virtualAddress, "/page"))?.status == 200)
            withExtendedLifetime(server) {}
        }
    }
}
