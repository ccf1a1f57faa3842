// swift-tools-version: 6.2
import PackageDescription

/// What every Swift target of this package is compiled with.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

extension Target.Dependency {
    static let argumentParser = product(name: "ArgumentParser", package: "swift-argument-parser")
    static let crypto = product(name: "Crypto", package: "swift-crypto")
    static let grdb = product(name: "GRDB", package: "GRDB.swift")
    static let httpTypes = product(name: "HTTPTypes", package: "swift-http-types")
    static let logging = product(name: "Logging", package: "swift-log")
    static let structuredFields = product(
        name: "RawStructuredFieldValues", package: "swift-http-structured-headers")
    static let yams = product(name: "Yams", package: "Yams")
}

func library(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func program(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource] = []) -> Target {
    .testTarget(name: name, dependencies: dependencies, resources: resources, swiftSettings: strict)
}

let package = Package(
    name: "rankwise",
    products: [
        .executable(name: "rankwise-server", targets: ["rankwise-server"]),
        .executable(name: "rankwise-client", targets: ["rankwise-client"]),
        .executable(name: "rankwise-lab", targets: ["rankwise-lab"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-structured-headers", from: "1.7.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(
            name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev", "liblapacke-dev"])]),
        .systemLibrary(name: "CLinux"),
        .systemLibrary(name: "CVectors"),
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),

        library("LinearAlgebra", ["COpenBLAS", "CVectors"]),
        library("StrictJSON"),
        library("AdapterFormat", ["StrictJSON"]),
        library("Aggregation", ["AdapterFormat", "LinearAlgebra"]),
        library("Federation"),
        library("Coordinator", ["Federation", "AdapterFormat", "Aggregation", .crypto, .logging]),
        library("SQLiteStore", ["Federation", .crypto, .grdb, .logging]),
        library("HTTPServing", [.httpTypes, .crypto, "CLinux", "COpenSSL", .logging]),
        library("RankwiseWire", ["StrictJSON"]),
        library("ProcessSignals"),
        library(
            "CoordinatorAPI",
            [
                "HTTPServing", "RankwiseWire", "Coordinator", "Federation", .httpTypes, .logging, .structuredFields,
            ]),
        library("HTTPFetching", ["CCurl"]),
        library("Charts"),
        library("Training", ["AdapterFormat", "LinearAlgebra", "CLinux", .logging]),
        library(
            "Simulation",
            [
                "AdapterFormat", "Aggregation", "Charts", "ClientAgent", "Coordinator", "CoordinatorAPI", "Federation",
                "HTTPFetching", "HTTPServing", "LinearAlgebra", "RankwiseWire", "SQLiteStore", "Training", .logging,
            ]),
        library(
            "Benchmarks",
            [
                "AdapterFormat", "Aggregation", "LinearAlgebra", "Simulation", "Training", .argumentParser, .crypto,
            ]),
        library("ClientAgent", ["HTTPFetching", "RankwiseWire", "AdapterFormat", "Training", .crypto]),

        program(
            "rankwise-server",
            [
                "CoordinatorAPI", "Coordinator", "Federation", "HTTPServing", "ProcessSignals", "RankwiseWire",
                "SQLiteStore", .argumentParser, .logging, .yams,
            ]
        ),
        program(
            "rankwise-client",
            [
                "AdapterFormat", "ClientAgent", "HTTPFetching", "ProcessSignals", "RankwiseWire", "Training",
                .argumentParser, .logging,
            ]
        ),
        program(
            "rankwise-lab",
            [
                "AdapterFormat", "Aggregation", "Benchmarks", "ClientAgent", "HTTPFetching", "LinearAlgebra",
                "RankwiseWire", "Simulation", "Training", .yams, .argumentParser, .logging,
            ]
        ),

        .target(name: "TestStage", dependencies: ["CLinux"], path: "Tests/TestStage", swiftSettings: strict),
        .target(
            name: "TestCertificates", dependencies: ["TestStage"], path: "Tests/TestCertificates", swiftSettings: strict
        ),
        tests("LinearAlgebraTests", ["LinearAlgebra"]),
        tests(
            "AdapterFormatTests", ["AdapterFormat", "StrictJSON"], resources: [.copy("Fixtures"), .copy("Hostile")]),
        tests("AggregationTests", ["Aggregation", "AdapterFormat", "LinearAlgebra"], resources: [.copy("Fixtures")]),
        tests("FederationTests", ["Federation"]),
        tests("CoordinatorTests", ["Coordinator", "Federation", "SQLiteStore", "AdapterFormat", .crypto, .logging]),
        tests("SQLiteStoreTests", ["SQLiteStore", "Federation", "TestStage", .crypto, .grdb, .logging]),
        tests(
            "HTTPServingTests",
            ["HTTPServing", "COpenSSL", "TestCertificates", "TestStage", .httpTypes, .crypto, .logging]),
        tests("RankwiseWireTests", ["RankwiseWire"]),
        tests(
            "CoordinatorAPITests",
            [
                "AdapterFormat", "CoordinatorAPI", "Coordinator", "Federation", "HTTPFetching", "HTTPServing",
                "SQLiteStore", "RankwiseWire", .crypto, .httpTypes, .logging,
            ], resources: [.copy("Fixtures")]),
        tests(
            "EndToEndTests",
            [
                "AdapterFormat", "ClientAgent", "Federation", "HTTPFetching", "HTTPServing", "LinearAlgebra",
                "RankwiseWire", "TestCertificates", "TestStage", "Training",
                "rankwise-server", "rankwise-client", .logging,
            ]),
        tests("ChartsTests", ["Charts"]),
        tests("HTTPFetchingTests", ["HTTPFetching", "TestStage"]),
        tests(
            "SimulationTests",
            [
                "Simulation", "AdapterFormat", "Charts", "Coordinator", "CoordinatorAPI", "Federation", "RankwiseWire",
                "Training",
            ]),
        tests("TrainingTests", ["Training", "AdapterFormat", "LinearAlgebra"], resources: [.copy("Fixtures")]),
        tests(
            "ClientAgentTests",
            ["ClientAgent", "HTTPFetching", "RankwiseWire", "Training", "AdapterFormat", "TestStage", .crypto]),
    ]
)

// The fuzz targets bring an entry of their own and are built by scripts/fuzz alone.
if Context.environment["RANKWISE_FUZZ"] == "1" {
    package.targets += [
        program("fuzz-http", ["HTTPServing", .httpTypes]),
        program("fuzz-json", ["AdapterFormat", "RankwiseWire"]),
        program("fuzz-machine", ["FuzzInput", "Coordinator", "CoordinatorAPI", "Federation", "RankwiseWire"]),
        program("fuzz-plan", ["AdapterFormat", "ClientAgent", "HTTPFetching", "RankwiseWire", "Training", .crypto]),
        program("fuzz-safetensors", ["AdapterFormat"]),
        program("fuzz-settings", ["FuzzInput", "Coordinator", "CoordinatorAPI", "Federation", "RankwiseWire"]),
        library("FuzzInput", ["Federation"]),
    ]
}
