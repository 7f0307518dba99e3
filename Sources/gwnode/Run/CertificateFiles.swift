import Posix
import TLS

/// What was made of files with certificates and keys, under some name, for as long as the files stay as they are. Files
/// that have changed and can not be used leave in force what was made of the former ones.
struct CertificateFiles<Name: Hashable, Settings: Hashable, Made> {
    struct Entry {
        let settings: Settings
        /// Of the files when they were read last, good or not.
        fileprivate var fingerprints: [FileFingerprint]
        /// Nil while there were no files that could be used.
        fileprivate(set) var made: Made?
        /// Why the files can not be used as they are now; nil: they are.
        fileprivate(set) var problem: TLSFailure?
    }

    private static var refreshPause: Nanoseconds { .seconds(1) }

    private(set) var entries: [Name: Entry] = [:]
    private var refreshesAt = Instant.zero
    private let paths: (Settings) -> [String]
    private let read: (Name, Settings) throws(TLSFailure) -> Made
    private let told: (Name, Entry) -> Void

    /// - Parameters:
    ///   - paths: the files that settings name.
    ///   - read: reads and checks them.
    ///   - told: is called whenever files have been read.
    init(
        paths: @escaping (Settings) -> [String], read: @escaping (Name, Settings) throws(TLSFailure) -> Made,
        told: @escaping (Name, Entry) -> Void
    ) {
        self.paths = paths
        self.read = read
        self.told = told
    }

    /// Reads what is new or has other settings than before, and forgets what is not wanted.
    mutating func adopt(_ wanted: [Name: Settings]) {
        entries = entries.filter { wanted[$0.key] != nil }
        for (name, settings) in wanted where entries[name]?.settings != settings { load(name, settings) }
    }

    /// Reads the files that have changed, looking once a second at the most. True when there were some.
    mutating func refresh() -> Bool {
        guard Instant.now() >= refreshesAt else { return false }
        refreshesAt = .now() + Self.refreshPause
        let changed = entries.filter { $0.value.fingerprints != fingerprints(of: $0.value.settings) }
        for (name, former) in changed { load(name, former.settings) }
        return !changed.isEmpty
    }

    /// Reads all files anew.
    mutating func reload() {
        for (name, former) in entries { load(name, former.settings) }
    }

    private mutating func load(_ name: Name, _ settings: Settings) {
        var entry = Entry(settings: settings, fingerprints: fingerprints(of: settings), made: entries[name]?.made)
        do throws(TLSFailure) { entry.made = try read(name, settings) } catch { entry.problem = error }
        entries[name] = entry
        told(name, entry)
    }

    private func fingerprints(of settings: Settings) -> [FileFingerprint] {
        paths(settings).map(FileFingerprint.init)
    }
}
