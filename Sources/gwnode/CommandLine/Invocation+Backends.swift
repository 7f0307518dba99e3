import Gateway
import Posix

extension Invocation {
    /// `backend add`, `weight` and `remove`.
    static func backendEdit(_ parsed: ParsedArguments) throws(UsageError) -> Invocation {
        let backend = BackendKey(upstream: parsed.operands[0], address: try address(parsed.operands[1]))
        let (access, revision) = (try access(parsed), try revision("--if-revision", parsed))
        if parsed.command == .backendRemove { return .removeBackend(access, backend, ifRevision: revision) }
        let isNew = parsed.command == .backendAdd
        let weight = try (isNew ? parsed.value("--weight") : parsed.operands[2]).map(weight)
        return .putBackend(access, backend, weight: weight, mustExist: !isNew, ifRevision: revision)
    }

    static func address(_ text: String) throws(UsageError) -> SocketAddress {
        guard let address = SocketAddress(text) else {
            throw UsageError("\(Terminal.printable(text)) is not an address as in 10.0.0.1:8080 or [fd00::1]:8080")
        }
        return address
    }

    private static func weight(_ text: String) throws(UsageError) -> Int {
        guard let weight = Int(text), BackendEdit.weights.contains(weight) else {
            let (first, last) = (BackendEdit.weights.lowerBound, BackendEdit.weights.upperBound)
            throw UsageError("the weight \(Terminal.printable(text)) is not a number from \(first) to \(last)")
        }
        return weight
    }
}
