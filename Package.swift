// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

let package = Package(
    name: "gwnode",
    products: [
        .executable(name: "gwnode", targets: ["gwnode"])
    ],
    dependencies: [],
    targets: [
        .target(name: "CLinux"),
        .target(name: "Posix", dependencies: ["CLinux"], swiftSettings: strict),
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .target(name: "TLS", dependencies: ["COpenSSL", "Posix"], swiftSettings: strict),
        .target(name: "Raft", dependencies: ["TLS", "Posix", "CLinux"], swiftSettings: strict),
        .target(
            name: "Gateway", dependencies: ["Raft", "TLS", "Posix", "CLinux"],
            resources: [
                .embedInCode("Admin/Dashboard/dashboard.html"), .embedInCode("Admin/Dashboard/dashboard.css"),
                .embedInCode("Admin/Dashboard/dashboard.js"),
            ], swiftSettings: strict),
        .executableTarget(
            name: "gwnode", dependencies: ["CLinux", "Gateway", "Raft", "TLS", "Posix"],
            swiftSettings: strict),

        .target(name: "Simulation", dependencies: ["Raft", "Posix"], path: "Tests/Simulation", swiftSettings: strict),
        .target(
            name: "SpreadSimulation", dependencies: ["Gateway", "Raft", "Posix"], path: "Tests/SpreadSimulation",
            swiftSettings: strict),
        .executableTarget(
            name: "soak", dependencies: ["Simulation", "Posix"], path: "Tests/Soak", swiftSettings: strict),
        .target(name: "AllocationCounter", path: "Tests/AllocationCounter"),
        .target(name: "Namespaces", dependencies: ["Posix"], path: "Tests/Namespaces", swiftSettings: strict),
        .executableTarget(
            name: "write-mutants", dependencies: ["Posix"], path: "Tests/Mutants", exclude: ["Hunt"],
            swiftSettings: strict),
        .testTarget(name: "TLSTests", dependencies: ["TLS", "Posix"], swiftSettings: strict),
        .testTarget(name: "PosixTests", dependencies: ["CLinux", "Posix"], swiftSettings: strict),
        .target(
            name: "FuzzTargets", dependencies: ["Raft", "Posix"], path: "Tests/Fuzz/Raft", swiftSettings: strict),
        .testTarget(
            name: "RaftTests", dependencies: ["FuzzTargets", "Simulation", "Raft", "TLS", "Posix"],
            swiftSettings: strict),
        .testTarget(name: "SimulationTests", dependencies: ["Simulation", "Raft"], swiftSettings: strict),
        .testTarget(
            name: "GatewayTests",
            dependencies: [
                "AllocationCounter", "CLinux", "COpenSSL", "Gateway", "Namespaces", "Raft", "SpreadSimulation", "TLS",
                "Posix",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "gwnodeTests", dependencies: ["CLinux", "gwnode", "Gateway", "Raft", "Posix"],
            swiftSettings: strict),
        .testTarget(
            name: "ClusterTests", dependencies: ["CLinux", "Gateway", "TLS", "Posix", "gwnode"], swiftSettings: strict),
        .testTarget(
            name: "NetworkTests", dependencies: ["CLinux", "Gateway", "Namespaces", "Posix"],
            exclude: ["random-faults"], swiftSettings: strict),
    ]
)
