import Glibc
import Posix

/// What a node proves itself with. Its files are read anew when they have changed, so that certificates are renewed
/// without a restart; as long as the new ones can not be used, the old ones stay in force.
package final class NodeCertificate {
    package let name: NodeName
    private let files: NodeCertificateFiles
    private var fingerprints: [FileFingerprint]
    private var current: TLSContext
    private var refreshesAt: Instant
    private var remindsAt: Instant
    /// Seconds since 1970.
    package private(set) var expirySeconds: Int

    private static let refreshPause = Nanoseconds.seconds(1)
    private static let daySeconds = 86_400

    /// Reads and checks the files, for a node of this name.
    package init(_ files: NodeCertificateFiles, name: NodeName, at now: Instant) throws(TLSFailure) {
        self.name = name
        self.files = files
        fingerprints = Self.fingerprints(of: files)
        (current, expirySeconds) = try Self.load(files, name)
        refreshesAt = now + Self.refreshPause
        remindsAt = now
    }

    /// Warns in the log, once a day, when the certificate expires soon or has.
    package func remind(at now: Instant) {
        guard now >= remindsAt else { return }
        remindsAt = now + .seconds(UInt64(Self.daySeconds))
        if let warning = warning(atSeconds: time(nil)) { Log.warning("tls: \(warning)") }
    }

    /// What new connections go by.
    package func context(at now: Instant) -> TLSContext {
        guard now >= refreshesAt else { return current }
        refreshesAt = now + Self.refreshPause
        let found = Self.fingerprints(of: files)
        guard found != fingerprints else { return current }
        fingerprints = found
        do throws(TLSFailure) {
            (current, expirySeconds) = try Self.load(files, name)
            Log.info(
                "tls: new certificates are in force: \(files.certificate)",
                [.event("certificates-loaded"), .path(files.certificate)])
        } catch {
            Log.error("tls: the changed certificates can not be used, the former ones stay in force: \(error)")
        }
        return current
    }

    /// What the operator should know about its validity; nil while all is well.
    package func warning(atSeconds now: Int) -> String? {
        let days = (expirySeconds - now) / Self.daySeconds
        if expirySeconds <= now { return "\(files.certificate) has expired; the other nodes refuse it: renew it" }
        return days < 30 ? "\(files.certificate) expires in \(days) days; renew it" : nil
    }

    private static func load(
        _ files: NodeCertificateFiles, _ name: NodeName
    ) throws(TLSFailure) -> (TLSContext, expirySeconds: Int) {
        let authorities = try PEMFile.certificates(files.authority)
        let chain = try PEMFile.certificates(files.certificate)
        let key = try PEMFile.key(files.key)
        let own = chain[0]
        guard own.uris.contains(name.uri) else {
            let found = own.uris.isEmpty ? "no node" : own.uris.joined(separator: ", ")
            throw TLSFailure("\(files.certificate): it is for \(found); this is \(name), which needs \(name.uri)")
        }
        do throws(TLSFailure) {
            return (try TLSContext(chain: chain, key: key, authorities: authorities), own.expirySeconds)
        } catch { throw TLSFailure("\(files.certificate), \(files.key): \(error)") }
    }

    private static func fingerprints(of files: NodeCertificateFiles) -> [FileFingerprint] {
        [files.authority, files.certificate, files.key].map(FileFingerprint.init)
    }
}
