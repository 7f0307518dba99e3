/// Bugs that could let two nodes hold one address where addresses are spread.
let spreadMutants = lendingMutants + inheritanceMutants + longGrantMutants

private let lendingMutants = [
    Mutant(
        name: "a grant is counted from its arrival", source: "Gray and Cheriton 1989, leases", file: "Lending.swift",
        original: "validUntil: grant.echo.sentAt + (grant.isLong",
        mutated: "validUntil: (MUTANT ? now : grant.echo.sentAt) + (grant.isLong"),
    Mutant(
        name: "what is called back counts as free at once", source: "Gray and Cheriton 1989, leases",
        file: "Lending.swift",
        original: "var claims: [Right] { listed + inUse",
        mutated: "var claims: [Right] { listed + (MUTANT ? [] : inUse)"),
    Mutant(
        name: "what is called back counts as free before the borrower has confirmed it", source: "found here",
        file: "Lending.swift",
        original: "use.withdrawnIn.map { $0 <= statement.settled } ?? false",
        mutated: "use.withdrawnIn.map { MUTANT || $0 <= statement.settled } ?? false"),
    Mutant(
        name: "no margin for the drift of clocks", source: "Gray and Cheriton 1989, section 5", file: "Lending.swift",
        original: ".grant(round: round, lasting: timing.leaseGuard,",
        mutated: ".grant(round: round, lasting: MUTANT ? timing.lease : timing.leaseGuard,"),
    Mutant(
        name: "the end of one process frees what the next one has", source: "found here", file: "Lending.swift",
        original: "end { $0.boot == boot }", mutated: "end { MUTANT || $0.boot == boot }"),
    Mutant(
        name: "who can hold nothing any more is silent", source: "found here", file: "Lending.swift",
        original: "guard wish != nil || borrowed != nil else",
        mutated: "guard MUTANT ? wish?.isWilling == true : wish != nil || borrowed != nil else"),
    Mutant(
        name: "grants what is still on its own machine", source: "found here", file: "Spreading.swift",
        original: "guard !conditions.occupied.contains(address) else { continue }",
        mutated: "guard MUTANT || !conditions.occupied.contains(address) else { continue }"),
]

private let inheritanceMutants = [
    Mutant(
        name: "a new leader does not wait for the grants of earlier ones", source: "Gray and Cheriton 1989, section 2",
        file: "Spreading.swift",
        original: "|| conditions.now >= inheritedUntil(loan, conditions.raft)",
        mutated: "|| MUTANT || conditions.now >= inheritedUntil(loan, conditions.raft)"),
    Mutant(
        name: "a new leader acts before it knows what is lent", source: "Raft paper, section 8",
        file: "Spreading.swift",
        original: "guard lease.isHeld(at: conditions.now), raft.lending.knowsState else",
        mutated: "guard lease.isHeld(at: conditions.now), MUTANT || raft.lending.knowsState else"),
]

private let longGrantMutants = [
    Mutant(
        name: "a long grant is waited for like a short one", source: "found here", file: "Spreading.swift",
        original: "loan.isLong ? raft.lending.longInheritedUntil",
        mutated: "loan.isLong && !MUTANT ? raft.lending.longInheritedUntil"),
    Mutant(
        name: "the next process of a leader forgets what the former one granted", source: "found here",
        file: "Pause.swift",
        original: "leadership.inheritedFrom = now", mutated: "if !MUTANT { leadership.inheritedFrom = now }"),
]
