import Posix

/// The durable log of one node: segments of batches, only ever appended to.
///
/// After an error no method may be called any more.
///
/// A record counts from the return of the `append` that wrote it. A suffix of the log is cut by the entries that take
/// its place, never by changing what was written; a prefix goes by removing whole segments that a snapshot covers.
package struct WriteAheadLog<D: Disk>: ~Copyable, Sendable {
    package struct Options: Sendable {
        /// Set aside for each segment; a larger batch gets a larger segment.
        package var segmentBytes: Int

        package init(segmentBytes: Int = 8 << 20) { self.segmentBytes = segmentBytes }
    }

    private let disk: D
    private let directory: String
    private let incarnation: UInt64
    private let options: Options
    private var segments: [LogRecovery.Segment]
    private var file: D.File
    private var end: Int
    private var capacity: Int
    /// The file of the next segment is being made.
    private var preparesNext = false
    private var nextSequence: UInt64
    private var hardState: HardState
    /// Bytes of batches written since the log was opened.
    package private(set) var bytesAppended: UInt64 = 0
    /// Where recovery cut off a write that had not been finished, in the newest segment.
    package private(set) var tornAt: Int?

    /// Makes the first segment of a new log in an empty directory.
    package static func create(
        in directory: String, disk: D, incarnation: UInt64, options: Options = Options()
    ) throws(StorageError) -> WriteAheadLog {
        let first = try NewSegment(
            number: 1, previousEnd: 0, firstSequence: 1, hardState: HardState(), incarnation: incarnation,
            batchBytes: options.segmentBytes, directory: directory, disk: disk)
        try NewestSegment(number: 1).save(in: directory, disk)
        return WriteAheadLog(
            disk: disk, directory: directory, incarnation: incarnation, options: options,
            segments: [LogRecovery.Segment(number: 1, reach: .zero)], file: first.file, end: first.end,
            capacity: first.capacity, nextSequence: 2, hardState: HardState())
    }

    /// Reads an existing log and makes it ready to go on. What was read is durable on return, also what a crash of the
    /// process (not the machine) left unsynced, and what an earlier sync failed to write but left in memory.
    package static func recover(
        _ directory: String, disk: D, incarnation: UInt64, options: Options = Options(),
        into replayed: inout LogReplay
    ) throws(StorageError) -> WriteAheadLog {
        let numbers: [UInt64]
        do throws(SystemError) {
            let names = try disk.names(in: directory)
            try disk.removeTemporaries(in: directory, names: names)
            numbers = names.compactMap(SegmentHeader.number(ofFile:)).sorted()
        } catch { throw .system(error) }
        let newest = try NewestSegment.load(from: directory, disk)
        guard let last = numbers.last, last >= newest.number else {
            let file = "\(directory)/\(SegmentHeader.fileName(newest.number))"
            throw .damaged(file: file, offset: 0, problem: "the newest segment of the write-ahead log is missing")
        }
        var recovery = LogRecovery(directory: directory, incarnation: incarnation)
        for number in numbers { try recovery.read(segment: number, from: disk) }
        let file: D.File
        do throws(SystemError) {
            file = try disk.open("\(directory)/\(SegmentHeader.fileName(last))")
            // After a failed sync the kernel may take what it did not write for written: only writing it again helps.
            try disk.write(Array(recovery.lastBatch.bytes), to: file, at: recovery.lastBatch.start)
            try disk.sync(file)
            try disk.syncDirectory(directory)
        } catch { throw .system(error) }
        var log = WriteAheadLog(
            disk: disk, directory: directory, incarnation: incarnation, options: options,
            segments: recovery.segments, file: file, end: recovery.end, capacity: recovery.capacity,
            nextSequence: recovery.nextSequence, hardState: recovery.replay.hardState)
        replayed = recovery.replay
        if newest.number < last { try NewestSegment(number: last).save(in: directory, disk) }
        if recovery.isTorn {
            log.tornAt = recovery.end
            try log.roll(roomFor: 0)
        }
        return log
    }

    /// Writes `records` and returns when they are durable.
    package mutating func append(_ records: [LogRecord]) throws(StorageError) {
        var rest = records[...]
        while !rest.isEmpty {
            let part = rest.prefix(Self.batchLength(of: rest))
            try write(part)
            rest = rest.dropFirst(part.count)
        }
    }

    /// Removes the segments that hold only what is before `index`, the last position of a durable snapshot. The one
    /// that holds `index` stays: recovery finds the snapshot's place in the log by it.
    package mutating func compact(before index: LogIndex) throws(StorageError) {
        do throws(SystemError) {
            while segments.count > 1, segments[0].reach < index {
                try disk.remove("\(directory)/\(SegmentHeader.fileName(segments[0].number))")
                // Each on its own: a crash that kept a later removal and lost an earlier one would leave a gap.
                try disk.syncDirectory(directory)
                segments.removeFirst()
            }
        } catch { throw .system(error) }
    }

    private var key: UInt32 { Batch.key(of: incarnation) }

    /// How many of the first `records` go into one batch: at least one.
    private static func batchLength(of records: ArraySlice<LogRecord>) -> Int {
        var bytes = 0
        var count = 0
        for record in records {
            bytes += record.sizeBound
            if count > 0, bytes > Batch.payloadLimit { break }
            count += 1
        }
        return count
    }

    private mutating func write(_ records: ArraySlice<LogRecord>) throws(StorageError) {
        let batch = Batch.encode(records, sequence: nextSequence, key: key, at: end)
        if end + batch.count > capacity {
            try roll(roomFor: batch.count)
            return try write(records)
        }
        do throws(SystemError) {
            try disk.write(batch, to: file, at: end)
            try disk.sync(file)
        } catch { throw .system(error) }
        end += batch.count
        if end > capacity / 2, !preparesNext { prepareNext() }
        nextSequence += 1
        bytesAppended += UInt64(batch.count)
        for record in records {
            segments[segments.count - 1].reach = max(segments[segments.count - 1].reach, record.reach)
            if case .hardState(let state) = record { hardState = state }
        }
    }

    /// Seals the last segment where it ends now and goes on in a new one.
    private mutating func roll(roomFor bytes: Int) throws(StorageError) {
        let number = segments[segments.count - 1].number + 1
        let segment = try NewSegment(
            number: number, previousEnd: UInt64(end), firstSequence: nextSequence, hardState: hardState,
            incarnation: incarnation, batchBytes: max(options.segmentBytes, bytes), directory: directory, disk: disk)
        try NewestSegment(number: number).save(in: directory, disk)
        segments.append(LogRecovery.Segment(number: number, reach: .zero))
        file = segment.file
        end = segment.end
        capacity = segment.capacity
        preparesNext = false
        nextSequence += 1
    }

    private mutating func prepareNext() {
        preparesNext = true
        NewSegment.prepare(
            number: segments[segments.count - 1].number + 1, batchBytes: options.segmentBytes, directory: directory,
            disk: disk)
    }
}

/// A segment file made durable under its name, with its header and a first batch that repeats the hard state, so that
/// the segments before it can go.
private struct NewSegment<D: Disk> {
    let file: D.File
    let end: Int
    let capacity: Int

    /// Of the header and the first batch, whatever they say.
    private static var startBytes: Int {
        SegmentHeader.size + Batch.encode([.hardState(HardState())], sequence: 0, key: 0, at: 0).count
    }

    static func prepare(number: UInt64, batchBytes: Int, directory: String, disk: D) {
        let path = "\(directory)/\(SegmentHeader.fileName(number))\(temporarySuffix)"
        disk.prepare(path, reserving: startBytes + batchBytes)
    }

    init(
        number: UInt64, previousEnd: UInt64, firstSequence: UInt64, hardState: HardState, incarnation: UInt64,
        batchBytes: Int, directory: String, disk: D
    ) throws(StorageError) {
        let header = SegmentHeader(
            number: number, incarnation: incarnation, previousEnd: previousEnd, firstSequence: firstSequence)
        let first = Batch.encode(
            [.hardState(hardState)], sequence: firstSequence, key: Batch.key(of: incarnation), at: SegmentHeader.size)
        let start = header.encoded() + first
        let path = "\(directory)/\(SegmentHeader.fileName(number))"
        capacity = Self.startBytes + batchBytes
        end = start.count
        do throws(SystemError) {
            file = try disk.create(path + temporarySuffix, reserving: capacity)
            try disk.write(start, to: file, at: 0)
            try disk.sync(file)
            try disk.rename(path + temporarySuffix, to: path)
            try disk.syncDirectory(directory)
        } catch { throw .system(error) }
    }
}
