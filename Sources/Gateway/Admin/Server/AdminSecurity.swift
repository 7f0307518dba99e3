import Posix
import TLS

/// What an admin server proves itself with, and whom it lets in. Confined to the server's thread.
package final class AdminSecurity {
    private let certificate: NodeCertificate
    private var pace = LogPace()

    package init(_ certificate: NodeCertificate) { self.certificate = certificate }

    /// Of a connection that was just accepted.
    func session(at now: Instant) throws(TLSFailure) -> TLSSession {
        try TLSSession(certificate.context(at: now), .server)
    }

    /// The other end of a connection that is now secured; nil when it is none of this cluster.
    func member(_ session: TLSSession) -> MemberName? { session.peer(in: certificate.name.cluster) }

    /// Why there is no connection. Anybody can make that happen, so not every one is told.
    func note(_ reason: String, from peer: String) {
        guard let others = pace.next(at: .now()) else { return }
        Log.warning("admin: no connection with \(peer): \(reason)\(others)")
    }

    /// For whoever speaks plain HTTP.
    static var plainAnswer: [UInt8] {
        AdminResponse.problem(
            400, "this admin API speaks TLS, and asks for a certificate of the cluster's authority",
            right: "use --config NODEFILE, or --ca, --certificate and --key"
        ).message(isPersistent: false, isForHead: false)
    }
}
