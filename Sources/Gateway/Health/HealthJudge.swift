/// Turns a backend's probe results into a verdict: the first result decides at once, after that it takes `rise`
/// successes or `fall` failures in a row to change it.
package struct HealthJudge: Hashable, Sendable {
    /// nil: no result yet. The reason is that of the result which brought the verdict.
    package private(set) var verdict: HealthVerdict?
    private let rise: Int
    private let fall: Int
    /// Results in a row that speak against the verdict.
    private var contradictions = 0

    package init(rise: Int, fall: Int) {
        self.rise = rise
        self.fall = fall
    }

    /// Takes one result in; true when the verdict's status is another one now.
    package mutating func record(_ result: ProbeResult) -> Bool {
        guard let isSuccess = result.isSuccess else { return false }
        let status: HealthStatus = isSuccess ? .up : .down
        if verdict?.status == status {
            contradictions = 0
            return false
        }
        contradictions += 1
        if verdict != nil && contradictions < (isSuccess ? rise : fall) { return false }
        contradictions = 0
        verdict = HealthVerdict(status, reason: result.description)
        return true
    }
}
