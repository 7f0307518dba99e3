import Posix

/// What concerns upstreams and their backends.
extension AdminRoute {
    static func modeChange(_ request: AdminRequest, _ path: PathParameters) throws(Refused) -> AdminRoute {
        let backend = BackendKey(upstream: path["upstream"], address: try path.address())
        let document = try document(
            BackendModeDocument.self, in: request, form: "{\"mode\": \"enabled\"}, \"draining\" or \"disabled\"")
        return .setMode(backend, document.mode)
    }
}

extension AdminRoute.PathParameters {
    func address() throws(AdminRoute.Refused) -> SocketAddress {
        guard let address = SocketAddress(self["address"]) else {
            throw AdminRoute.refused(
                400, "the address in the path is none", "write it as 10.0.0.1:8080 or [fd00::1]:8080")
        }
        return address
    }
}
