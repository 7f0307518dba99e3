/// The binary form of Raft's vocabulary, shared by the write-ahead log, snapshot files and the wire.
///
/// What is read is bounded so that the arithmetic of the core can not overflow on numbers a peer made up.
package enum CodingLimit {
    /// No cluster counts terms, indexes or node ids this far: a million a second for a hundred thousand years.
    package static let largestNumber: UInt64 = 1 << 62
    /// The largest command, and so the largest payload of an entry.
    package static let commandBytes = 4 << 20
    /// Members of one list of a membership.
    package static let members = 64
}

extension ByteWriter {
    package mutating func append(_ term: Term) { append(term.number) }
    package mutating func append(_ index: LogIndex) { append(index.number) }
    package mutating func append(_ node: NodeID) { append(node.number) }

    /// 0 stands for none: node ids begin at 1.
    package mutating func append(_ node: NodeID?) { append(node?.number ?? 0) }

    package mutating func append(_ position: LogPosition) {
        append(position.term)
        append(position.index)
    }

    package mutating func append(_ id: ProposalID) {
        append(id.node)
        append(id.boot)
        append(id.sequence)
    }

    package mutating func append(_ state: HardState) {
        append(state.term)
        append(state.vote)
        append(state.promised)
    }

    package mutating func append(_ membership: Membership) {
        append(members: membership.voters)
        append(members: membership.outgoingVoters)
        append(members: membership.learners)
        append(members: membership.joining)
    }

    private mutating func append(members: [NodeID]) {
        append(UInt8(members.count))
        for member in members { append(member) }
    }

    package mutating func append(_ entry: Entry) {
        append(entry.term)
        append(entry.index)
        switch entry.payload {
        case .noop:
            append(UInt8(0))
        case .command(let id, let bytes):
            append(UInt8(1))
            append(id)
            append(lengthPrefixed: bytes)
        case .membership(let membership):
            append(UInt8(2))
            append(membership)
        }
    }
}

extension ByteReader {
    package mutating func readTerm() throws(MalformedBytes) -> Term {
        Term(try readUInt64(upTo: CodingLimit.largestNumber, "a term"))
    }

    package mutating func readLogIndex() throws(MalformedBytes) -> LogIndex {
        LogIndex(try readUInt64(upTo: CodingLimit.largestNumber, "a log index"))
    }

    package mutating func readNodeID() throws(MalformedBytes) -> NodeID {
        guard let node = try readOptionalNodeID() else {
            throw MalformedBytes(at: offset - 8, expected: "a node id of 1 or more")
        }
        return node
    }

    package mutating func readOptionalNodeID() throws(MalformedBytes) -> NodeID? {
        let number = try readUInt64(upTo: CodingLimit.largestNumber, "a node id")
        return number == 0 ? nil : NodeID(number)
    }

    package mutating func readLogPosition() throws(MalformedBytes) -> LogPosition {
        LogPosition(term: try readTerm(), index: try readLogIndex())
    }

    package mutating func readProposalID() throws(MalformedBytes) -> ProposalID {
        ProposalID(node: try readNodeID(), boot: try readUInt64(), sequence: try readUInt64())
    }

    package mutating func readHardState() throws(MalformedBytes) -> HardState {
        HardState(term: try readTerm(), vote: try readOptionalNodeID(), promised: try readTerm())
    }

    package mutating func readMembership() throws(MalformedBytes) -> Membership {
        Membership(
            voters: try readMembers(), outgoingVoters: try readMembers(), learners: try readMembers(),
            joining: try readMembers())
    }

    private mutating func readMembers() throws(MalformedBytes) -> [NodeID] {
        let start = offset
        let count = Int(try readUInt8())
        guard count <= CodingLimit.members else {
            throw MalformedBytes(at: start, expected: "at most \(CodingLimit.members) members")
        }
        var members: [NodeID] = []
        for _ in 0..<count {
            let member = try readNodeID()
            if let last = members.last, last >= member {
                throw MalformedBytes(at: offset - 8, expected: "members in ascending order")
            }
            members.append(member)
        }
        return members
    }

    package mutating func readEntry() throws(MalformedBytes) -> Entry {
        let term = try readTerm()
        let index = try readLogIndex()
        guard index > .zero else { throw MalformedBytes(at: offset - 8, expected: "an entry index of 1 or more") }
        switch try readUInt8() {
        case 0:
            return Entry(term: term, index: index, payload: .noop)
        case 1:
            let id = try readProposalID()
            let bytes = try readLengthPrefixed(upTo: CodingLimit.commandBytes)
            return Entry(term: term, index: index, payload: .command(id, bytes))
        case 2:
            return Entry(term: term, index: index, payload: .membership(try readMembership()))
        default:
            throw MalformedBytes(at: offset - 1, expected: "an entry kind from 0 to 2")
        }
    }
}
