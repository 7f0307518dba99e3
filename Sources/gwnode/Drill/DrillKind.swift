/// What `gwnode drill` does to the leader in each round.
package enum DrillKind: String, CaseIterable, Hashable, Sendable {
    /// SIGKILL of its process.
    case kill
    /// SIGSTOP of its process, until another node has taken over. Without a guard it keeps taking its part of new
    /// connections until then.
    case stop
    /// What the leader and the other nodes say to each other is dropped on the leader's machine, until another node
    /// has taken over.
    case cut
    /// Leadership is handed over, as `gwnode leader transfer` does.
    case transfer

    /// Whether clients may notice it, so that it is asked for twice.
    var isFault: Bool {
        switch self {
        case .kill, .stop, .cut: true
        case .transfer: false
        }
    }

    /// What an operator is asked to agree to.
    var deed: String {
        switch self {
        case .kill: "kill the leader's process"
        case .stop: "stop the leader's process for a while"
        case .cut: "cut the leader off from the other nodes for a while"
        case .transfer: "hand leadership over"
        }
    }
}
