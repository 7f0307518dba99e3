/// Turns a backend's probe results into a verdict: the first result decides at once, after that it takes `rise`
/// successes or `fall` failures in a row to change it. A backend that stays down for another reason says so after `fall`
/// results of that.
package struct HealthJudge: Hashable, Sendable {
    /// nil: no result yet. The reason is that of the result which brought the verdict.
    package private(set) var verdict: HealthVerdict?
    private let rise: Int
    private let fall: Int
    /// Results in a row that speak against the verdict.
    private var contradictions = 0
    /// The last result, if the backend is down for a reason that it does not give, and how many like it came in a row.
    private var otherReason: ProbeResult?
    private var otherReasons = 0

    package init(rise: Int, fall: Int) {
        self.rise = rise
        self.fall = fall
    }

    /// Takes one result in; true when the verdict is another one now.
    package mutating func record(_ result: ProbeResult) -> Bool {
        guard let isSuccess = result.isSuccess else { return false }
        let status: HealthStatus = isSuccess ? .up : .down
        if verdict?.status == status {
            contradictions = 0
            return !isSuccess && explains(result)
        }
        otherReason = nil
        contradictions += 1
        if verdict != nil && contradictions < (isSuccess ? rise : fall) { return false }
        contradictions = 0
        verdict = HealthVerdict(status, reason: result.description)
        return true
    }

    /// Takes a failure of a backend that is down; true when it is the reason from now on.
    private mutating func explains(_ result: ProbeResult) -> Bool {
        let found = HealthVerdict(.down, reason: result.description)
        if found == verdict {
            otherReason = nil
            return false
        }
        otherReasons = result == otherReason ? otherReasons + 1 : 1
        otherReason = result
        guard otherReasons >= fall else { return false }
        otherReason = nil
        verdict = found
        return true
    }
}
