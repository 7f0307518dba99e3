extension Invocation {
    private static let tokenBytes = 64

    static func restore(_ parsed: ParsedArguments) throws(UsageError) -> Invocation {
        let token = parsed.value("--token")
        if let token, token.utf8.count > tokenBytes || !token.utf8.allSatisfy({ 0x21...0x7e ~= $0 }) {
            throw UsageError(
                "--token has to be at most \(tokenBytes) visible ASCII characters, as the first node printed")
        }
        return .restoreSnapshot(
            file: parsed.operands[0], configPath: try configPath(parsed), token: token,
            isConfirmed: parsed.has("--yes"))
    }
}
