import Posix

// What heartbeats and their answers carry of `Lending`.

extension ByteWriter {
    mutating func append(_ grant: Grant?) {
        append(grant != nil)
        guard let grant else { return }
        append(grant.echo)
        append(grant.rights)
        append(grant.isLong)
    }

    mutating func append(_ statement: BorrowerStatement?) {
        append(statement != nil)
        guard let statement else { return }
        append(statement.stamp)
        append(statement.isWilling)
        append(statement.returned)
        append(statement.settled)
        append(statement.pauses)
    }

    private mutating func append(_ stamp: BorrowerStamp) {
        append(stamp.boot)
        append(stamp.sentAt.nanoseconds)
    }

    private mutating func append(_ rights: [Right]) {
        append(UInt32(rights.count))
        for right in rights {
            append(right.high)
            append(right.low)
        }
    }
}

extension ByteReader {
    mutating func readGrant() throws(MalformedBytes) -> Grant? {
        guard try readBool() else { return nil }
        return Grant(echo: try readBorrowerStamp(), rights: try readRights(), isLong: try readBool())
    }

    mutating func readStatement() throws(MalformedBytes) -> BorrowerStatement? {
        guard try readBool() else { return nil }
        return BorrowerStatement(
            stamp: try readBorrowerStamp(), isWilling: try readBool(), returned: try readRights(),
            settled: try readUInt64(upTo: CodingLimit.largestNumber, "a round of heartbeats"),
            pauses: try readBool())
    }

    private mutating func readBorrowerStamp() throws(MalformedBytes) -> BorrowerStamp {
        BorrowerStamp(
            boot: try readUInt64(),
            sentAt: Instant(nanoseconds: try readUInt64(upTo: CodingLimit.largestNumber, "an instant")))
    }

    private mutating func readRights() throws(MalformedBytes) -> [Right] {
        let count = Int(try readUInt32())
        guard count <= WireLimit.rights else {
            throw MalformedBytes(at: offset - 4, expected: "at most \(WireLimit.rights) rights")
        }
        var rights: [Right] = []
        for _ in 0..<count { rights.append(Right(high: try readUInt64(), low: try readUInt64())) }
        return rights
    }
}
