import Glibc
import Posix

/// Writes a package of its own in which core, storage and the spreading of addresses have all the bugs of the tables, each
/// behind a switch:
/// `write-mutants PROJECT OUTPUT`. The switches exist in that copy only, so no build of the project can have them.
@main
enum WriteMutants {
    private static let sourceLimit = 1 << 20

    static func main() throws {
        guard CommandLine.arguments.count == 3 else {
            print("usage: write-mutants PROJECT OUTPUT")
            exit(2)
        }
        let (project, output) = (CommandLine.arguments[1], CommandLine.arguments[2])
        for folder in ["Sources/Raft", "Sources/Gateway", "Sources/Hunt", "Tests"] {
            try makeDirectories(output + "/" + folder)
        }
        for folder in ["Sources/CLinux", "Sources/Posix", "Tests/Simulation", "Tests/SpreadSimulation"] {
            unlink(output + "/" + folder)
            symlink(project + "/" + folder, output + "/" + folder)
        }
        for folder in ["Core", "Coding", "Storage"] {
            try copy(project + "/Sources/Raft/" + folder, to: output + "/Sources/Raft")
        }
        let addresses = project + "/Sources/Gateway/VirtualIP"
        try copy(addresses + "/Spread", to: output + "/Sources/Gateway")
        try copy(addresses + "/Guard", to: output + "/Sources/Gateway", only: ["GuardIdentity.swift"])
        try copy(
            addresses, to: output + "/Sources/Gateway",
            only: ["Resignations.swift", "VirtualIPClaim.swift", "VirtualIPManager.swift", "VirtualIPProvider.swift"])
        try write(switches, to: output + "/Sources/Raft/Switches.swift")
        try write(table, to: output + "/Sources/Hunt/Table.swift")
        try write(read(project + "/Tests/Mutants/Hunt/Hunt.swift"), to: output + "/Sources/Hunt/Hunt.swift")
        try write(manifest, to: output + "/Package.swift")
    }

    /// The sources of one folder, or some of them, with the bugs of the tables in them.
    private static func copy(_ source: String, to target: String, only some: Set<String>? = nil) throws {
        guard let folder = opendir(source) else { throw SystemError("opendir") }
        defer { closedir(folder) }
        while let entry = readdir(folder) {
            let file = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard file.hasSuffix(".swift"), some?.contains(file) != false else { continue }
            var text = try read(source + "/" + file)
            for (number, mutant) in (mutants + spreadMutants).enumerated() where mutant.file == file {
                text = replace(mutant, number, in: text)
            }
            try write(text, to: target + "/" + file)
        }
    }

    /// A mutant whose place is gone or not the only one has to be brought up to date.
    private static func replace(_ mutant: Mutant, _ number: Int, in text: String) -> String {
        let parts = text.split(separator: mutant.original, omittingEmptySubsequences: false)
        guard parts.count == 2 else {
            print("mutant \"\(mutant.name)\": \(mutant.file) has its original \(parts.count - 1) times, not once")
            exit(1)
        }
        let switched = mutant.mutated.split(separator: "MUTANT", omittingEmptySubsequences: false)
        return parts[0] + switched.joined(separator: "isMutant(\(number))") + parts[1]
    }

    private static var switches: String {
        """
        package nonisolated(unsafe) var activeMutant = -1

        package func isMutant(_ number: Int) -> Bool { activeMutant == number }

        """
    }

    private static var table: String {
        func rows(_ mutants: [Mutant]) -> String {
            mutants.map { "    (\"\($0.name)\", \"\($0.source)\"),\n" }.joined()
        }
        let type = "[(name: String, source: String)]"
        return "let mutants: \(type) = [\n\(rows(mutants))]\nlet spreadMutants: \(type) = [\n\(rows(spreadMutants))]\n"
    }

    private static var manifest: String {
        """
        // swift-tools-version: 6.2
        import PackageDescription

        let settings: [SwiftSetting] = [
            .swiftLanguageMode(.v6), .enableUpcomingFeature("ExistentialAny"),
            .enableUpcomingFeature("MemberImportVisibility"),
        ]

        let package = Package(
            name: "mutants",
            targets: [
                .target(name: "CLinux"),
                .target(name: "Posix", dependencies: ["CLinux"], swiftSettings: settings),
                .target(name: "Raft", dependencies: ["Posix", "CLinux"], swiftSettings: settings),
                .target(
                    name: "Simulation", dependencies: ["Raft", "Posix"], path: "Tests/Simulation",
                    swiftSettings: settings),
                .target(name: "Gateway", dependencies: ["Raft", "Posix"], swiftSettings: settings),
                .target(
                    name: "SpreadSimulation", dependencies: ["Gateway", "Raft", "Posix"],
                    path: "Tests/SpreadSimulation", swiftSettings: settings),
                .executableTarget(
                    name: "hunt", dependencies: ["Simulation", "SpreadSimulation", "Raft", "Posix"],
                    path: "Sources/Hunt"),
            ]
        )

        """
    }

    private static func read(_ path: String) throws -> String {
        String(decoding: try readFile(path, limit: sourceLimit), as: UTF8.self)
    }

    private static func write(_ text: String, to path: String) throws {
        try replaceFile(path, with: Array(text.utf8))
    }
}
