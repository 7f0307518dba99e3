/// The commands that change the backends in the configuration.
extension CommandName {
    private static let ifRevision = OptionSyntax.value("--if-revision", "N", "Only if revision N is still in force.")
    private static let editDetails = """
        Changes that one place in the text of the configuration in force, which becomes a new revision: comments stay, \
        and `gwnode config rollback` takes it back. \(accessDetails)
        """

    static let backendAddSyntax = CommandSyntax(
        operands: "UPSTREAM ADDRESS", operandCount: 2...2,
        options: accessOptions + [.value("--weight", "N", "Its share, 1 to 1000; 1 unless told."), ifRevision],
        summary: "Adds a backend to an upstream.",
        details: editDetails,
        examples: [("gwnode backend add app 10.0.0.9:8080 --weight 3", "takes three shares")])

    static let backendWeightSyntax = CommandSyntax(
        operands: "UPSTREAM ADDRESS N", operandCount: 3...3, options: accessOptions + [ifRevision],
        summary: "Gives a backend another weight.",
        details: editDetails,
        examples: [("gwnode backend weight app 10.0.0.9:8080 5", "more than before")])

    static let backendRegisterSyntax = CommandSyntax(
        operands: "UPSTREAM NAME ADDRESS", operandCount: 3...3,
        options: accessOptions + [
            .value("--ttl", "SECONDS", "For how long it stays without being said again, 5 to 3600; 30 unless told."),
            .value("--weight", "N", "Its share, 1 to 1000; 1 unless told."),
        ],
        summary: "Registers a backend for a time, or renews it.",
        details: """
            For backends that come and go: the configuration stays as it is, and what is not said again in time is gone. \
            NAME is what the backend calls itself within the upstream. \(accessDetails)
            """,
        examples: [
            (
                "gwnode backend register app web-7 10.0.0.9:8080 --ttl 30",
                "again every ten seconds, for as long as it runs"
            )
        ])

    static let backendDeregisterSyntax = CommandSyntax(
        operands: "UPSTREAM NAME", operandCount: 2...2, options: accessOptions,
        summary: "Takes off a backend that registered itself.",
        details: "Before it stops, so that no request meets it any more. \(accessDetails)",
        examples: [("gwnode backend deregister app web-7", "it takes no requests from now on")])

    static let backendRemoveSyntax = CommandSyntax(
        operands: "UPSTREAM ADDRESS", operandCount: 2...2, options: accessOptions + [ifRevision],
        summary: "Removes a backend from an upstream.",
        details: "Drain it first, so that running requests end. \(editDetails)",
        examples: [("gwnode backend remove app 10.0.0.9:8080", "it takes no requests from now on")])
}
