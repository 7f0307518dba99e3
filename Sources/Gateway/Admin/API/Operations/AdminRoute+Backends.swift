import Posix

/// What concerns upstreams and their backends.
extension AdminRoute {
    static func modeChange(_ request: AdminRequest, _ path: PathParameters) throws(Refused) -> AdminRoute {
        let backend = try path.backend()
        let document = try document(
            BackendModeDocument.self, in: request, form: "{\"mode\": \"enabled\"}, \"draining\" or \"disabled\"")
        return .setMode(backend, document.mode)
    }

    static func addition(_ request: AdminRequest, _ path: PathParameters) throws(Refused) -> BackendEdit {
        let backend = try path.backend()
        if request.body.isEmpty { return .put(backend, weight: nil) }
        let document = try document(BackendWeightDocument.self, in: request, form: "{\"weight\": 1}, or nothing")
        guard document.weight.map(BackendEdit.weights.contains) ?? true else {
            throw refused(
                400, "the weight is out of range",
                "use \(BackendEdit.weights.lowerBound) to \(BackendEdit.weights.upperBound)")
        }
        return .put(backend, weight: document.weight)
    }
}

extension AdminRoute.PathParameters {
    func backend() throws(AdminRoute.Refused) -> BackendKey {
        BackendKey(upstream: self["upstream"], address: try address())
    }

    private func address() throws(AdminRoute.Refused) -> SocketAddress {
        guard let address = SocketAddress(self["address"]) else {
            throw AdminRoute.refused(
                400, "the address in the path is none", "write it as 10.0.0.1:8080 or [fd00::1]:8080")
        }
        return address
    }
}
