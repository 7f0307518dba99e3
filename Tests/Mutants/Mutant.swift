/// A classic bug, as a change of the source of core or storage. `mutated` says `MUTANT` where the bug is to be switched on.
struct Mutant {
    var name: String
    /// Where it was seen, or which rule it breaks.
    var source: String
    /// In Sources/Raft or what spreads addresses of Sources/Gateway, in any of their folders.
    var file: String
    var original: String
    var mutated: String
}
