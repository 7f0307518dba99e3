import COpenSSL

/// A small authority for the nodes of one cluster.
package struct CertificateAuthority {
    package let certificate: Certificate
    private let key: PrivateKey

    /// A clock may be behind that of the machine which signs.
    private static let leewaySeconds = 3600
    private static let daySeconds = 86_400

    /// One that is there already.
    package init(_ certificate: Certificate, _ key: PrivateKey) throws(TLSFailure) {
        guard X509_check_private_key(certificate.raw, key.raw) == 1 else {
            throw .noted("the key of the authority does not belong to its certificate")
        }
        guard X509_check_ca(certificate.raw) == 1 else {
            throw TLSFailure("it is not the certificate of an authority")
        }
        self.certificate = certificate
        self.key = key
    }

    /// A new one. `name` has letters, digits, spaces and `-_.` alone.
    package static func make(
        name: String, days: Int
    ) throws(TLSFailure) -> (authority: CertificateAuthority, key: PrivateKey) {
        let key = try PrivateKey.make()
        let draft = try Draft(subject: name, publicKey: key, start: 0, days: days)
        try draft.extend(
            issuer: draft.certificate,
            [
                (NID_basic_constraints, "critical,CA:TRUE,pathlen:0"),
                (NID_key_usage, "critical,keyCertSign,cRLSign"),
                (NID_subject_key_identifier, "hash"),
            ])
        try draft.sign(issuer: draft.certificate, key)
        return (try CertificateAuthority(draft.certificate, key), key)
    }

    /// A certificate for a node, and its new key. `hosts` are names or addresses under which others reach it. It is valid
    /// for `days`, from `start` days from now on.
    package func issue(
        for node: NodeName, hosts: [String], days: Int, startingInDays start: Int = 0
    ) throws(TLSFailure) -> (certificate: Certificate, key: PrivateKey) {
        try issue(
            for: .node(node), more: hosts.map { Self.isAddress($0) ? "IP:\($0)" : "DNS:\($0)" },
            usage: "serverAuth,clientAuth", days: days, start: start)
    }

    /// A certificate with which somebody asks the nodes' admin API, and its new key.
    package func issue(
        forOperator name: String, of cluster: String, days: Int
    ) throws(TLSFailure) -> (certificate: Certificate, key: PrivateKey) {
        try issue(for: .operatorNamed(name, cluster: cluster), more: [], usage: "clientAuth", days: days, start: 0)
    }

    private func issue(
        for member: MemberName, more names: [String], usage: String, days: Int, start: Int
    ) throws(TLSFailure) -> (certificate: Certificate, key: PrivateKey) {
        let memberKey = try PrivateKey.make()
        let draft = try Draft(
            subject: "\(member.cluster) \(member)", publicKey: memberKey, start: start, days: days)
        let names = ["URI:\(member.uri)"] + names
        try draft.extend(
            issuer: certificate,
            [
                (NID_basic_constraints, "critical,CA:FALSE"),
                (NID_key_usage, "critical,digitalSignature"),
                (NID_ext_key_usage, usage),
                (NID_subject_key_identifier, "hash"),
                (NID_authority_key_identifier, "keyid:always"),
                (NID_subject_alt_name, names.joined(separator: ",")),
            ])
        try draft.sign(issuer: certificate, key)
        return (draft.certificate, memberKey)
    }

    private static func isAddress(_ host: String) -> Bool {
        host.contains(":") || host.utf8.allSatisfy { 0x30...0x39 ~= $0 || $0 == 0x2e }
    }

    /// A certificate that is not signed yet.
    private struct Draft {
        let certificate: Certificate

        init(subject: String, publicKey: PrivateKey, start: Int, days: Int) throws(TLSFailure) {
            guard let raw = X509_new() else { throw .noted("a certificate can not be made") }
            certificate = Certificate(owning: raw)
            let serial = BN_new()
            defer { BN_free(serial) }
            let name = X509_NAME_new()
            defer { X509_NAME_free(name) }
            guard X509_set_version(raw, Int(X509_VERSION_3)) == 1, BN_rand(serial, 127, -1, 0) == 1,
                BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(raw)) != nil,
                X509_gmtime_adj(X509_getm_notBefore(raw), start * daySeconds - leewaySeconds) != nil,
                X509_gmtime_adj(X509_getm_notAfter(raw), (start + days) * daySeconds) != nil,
                X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, subject, -1, -1, 0) == 1,
                X509_set_subject_name(raw, name) == 1, X509_set_pubkey(raw, publicKey.raw) == 1
            else { throw .noted("a certificate can not be made") }
        }

        /// Values are in OpenSSL's notation (x509v3_config).
        func extend(issuer: Certificate, _ extensions: [(identifier: Int32, value: String)]) throws(TLSFailure) {
            var context = X509V3_CTX()
            X509V3_set_ctx(&context, issuer.raw, certificate.raw, nil, nil, 0)
            for (identifier, value) in extensions {
                guard let one = X509V3_EXT_conf_nid(nil, &context, identifier, value) else {
                    throw .noted("'\(value)' can not be put into a certificate")
                }
                defer { X509_EXTENSION_free(one) }
                guard X509_add_ext(certificate.raw, one, -1) == 1 else { throw .noted("'\(value)'") }
            }
        }

        func sign(issuer: Certificate, _ key: PrivateKey) throws(TLSFailure) {
            guard X509_set_issuer_name(certificate.raw, X509_get_subject_name(issuer.raw)) == 1,
                X509_sign(certificate.raw, key.raw, EVP_sha256()) > 0
            else { throw .noted("a certificate can not be signed") }
        }
    }
}
