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

    static func registration(_ parsed: ParsedArguments) throws(UsageError) -> Invocation {
        let (first, last) = (Registrations.timesToLive.lowerBound, Registrations.timesToLive.upperBound)
        let text = parsed.value("--ttl") ?? "30"
        guard let time = Int(text), Registrations.timesToLive.contains(time) else {
            throw UsageError("--ttl \(Terminal.printable(text)) is not a number of seconds from \(first) to \(last)")
        }
        let registration = Registration(
            address: try address(parsed.operands[2]), weight: try parsed.value("--weight").map(weight) ?? 1,
            timeToLiveSeconds: time)
        return .register(try access(parsed), try registrationKey(parsed), registration)
    }

    static func registrationKey(_ parsed: ParsedArguments) throws(UsageError) -> RegistrationKey {
        RegistrationKey(upstream: parsed.operands[0], id: parsed.operands[1])
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
