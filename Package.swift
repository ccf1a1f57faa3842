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
    static let system = product(name: "SystemPackage", package: "swift-system")
    static let logging = product(name: "Logging", package: "swift-log")
    static let metrics = product(name: "CoreMetrics", package: "swift-metrics")
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
        .executable(name: "rankwise-cluster-server", targets: ["rankwise-cluster-server"]),
        .executable(name: "rankwise-client", targets: ["rankwise-client"]),
        .executable(name: "rankwise-lab", targets: ["rankwise-lab"]),
        .executable(name: "rankwise-admin", targets: ["rankwise-admin"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-structured-headers", from: "1.7.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(
            name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev", "liblapacke-dev"])]),
        .systemLibrary(name: "CLinux"),
        .systemLibrary(name: "CPQ", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "CVectors"),
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),

        library("LinearAlgebra", ["COpenBLAS", "CVectors"]),
        library("StrictJSON"),
        library("DurableFiles", [.system]),
        library("AdapterFormat", ["StrictJSON"]),
        library("ModelFiles", ["AdapterFormat", "CVectors", "StrictJSON"]),
        library("Tokenizers", ["AdapterFormat", "ModelFiles", "StrictJSON"]),
        library("Aggregation", ["AdapterFormat", "LinearAlgebra", .crypto]),
        library("Federation"),
        library(
            "Coordinator",
            ["Federation", "AdapterFormat", "Aggregation", "DurableFiles", .crypto, .logging, .metrics]),
        library("StoredRows", ["Federation", .crypto]),
        library("SQLiteStore", ["DurableFiles", "Federation", "StoredRows", .crypto, .grdb, .logging]),
        library(
            "PostgresStore",
            ["CPQ", "DurableFiles", "Federation", "ObjectStorage", "SQLiteStore", "StoredRows", .crypto, .logging]),
        library("HTTPServing", [.httpTypes, .crypto, "CLinux", "COpenSSL", .logging, .metrics]),
        library("RankwiseWire", ["StrictJSON"]),
        library("ProcessSignals"),
        library(
            "CoordinatorAPI",
            [
                "AdapterFormat", "Aggregation", "Dashboard", "HTTPServing", "RankwiseWire", "Coordinator", "Federation",
                "MetricsExposition", .httpTypes, .logging, .metrics, .structuredFields,
            ]),
        library("Charts"),
        .target(
            name: "Dashboard", dependencies: ["Charts", .crypto], resources: [.embedInCode("Files")],
            swiftSettings: strict),
        library("MetricsExposition", [.metrics]),
        library(
            "Benchmarks",
            [
                "AdapterFormat", "Aggregation", "DurableFiles", "LinearAlgebra", "Simulation", "Training",
                "TrainingData",
                .argumentParser, .crypto,
            ]),
        library("HTTPFetching", ["CCurl", "DurableFiles"]),
        library("ServerCalls", ["DurableFiles", "HTTPFetching", "RankwiseWire"]),
        library("SettingsFiles", ["DurableFiles", "RankwiseWire", .yams]),
        library(
            "ObjectStorage", ["HTTPFetching", "DurableFiles", "StrictJSON", "CLinux", .crypto, .logging]),
        library("MemoryObjects", ["HTTPServing", "ObjectStorage", .crypto, .httpTypes, .logging]),
        library("AdapterOperations", ["AdapterFormat", "DurableFiles", "LinearAlgebra", "StrictJSON"]),
        library("TrainingData", ["DurableFiles", "LinearAlgebra", "StrictJSON", "Tokenizers"]),
        library(
            "Training",
            [
                "AdapterFormat", "AdapterOperations", "DurableFiles", "LinearAlgebra", "ModelFiles", "Tokenizers",
                "TrainingData", "CLinux", .logging,
            ]),
        library(
            "Simulation",
            [
                "AdapterFormat", "AdapterOperations", "Aggregation", "Charts", "ClientAgent", "Coordinator",
                "CoordinatorAPI", "DurableFiles", "Federation", "HTTPFetching", "HTTPServing", "LinearAlgebra",
                "RankwiseWire", "SQLiteStore", "ServerCalls", "Training", "TrainingData", .logging,
            ]),
        library(
            "ClientAgent",
            [
                "DurableFiles", "HTTPFetching", "RankwiseWire", "ServerCalls", "AdapterFormat", "AdapterOperations",
                "Training", .crypto,
            ]),
        library(
            "AdminProgram",
            [
                "DurableFiles", "HTTPFetching", "RankwiseWire", "ServerCalls", "SettingsFiles", .argumentParser,
                .crypto,
            ]),
        program("rankwise-admin", ["AdminProgram"]),

        library(
            "ServerProgram",
            [
                "CoordinatorAPI", "Coordinator", "DurableFiles", "Federation", "HTTPServing", "ProcessSignals",
                "RankwiseWire", "SettingsFiles", "SQLiteStore", "StoredRows", .argumentParser, .logging, .metrics,
            ]),
        library(
            "RegionalServing",
            [
                "ClientAgent", "Coordinator", "CoordinatorAPI", "Federation", "HTTPFetching", "RankwiseWire",
                "ServerCalls",
                .logging,
            ]),
        program("rankwise-server", ["ServerProgram"]),
        program(
            "rankwise-cluster-server",
            [
                "Coordinator", "Federation", "ObjectStorage", "PostgresStore", "RegionalServing", "ServerProgram",
                "StoredRows", .logging,
            ]),
        program(
            "rankwise-client",
            [
                "AdapterFormat", "AdapterOperations", "Aggregation", "ClientAgent", "DurableFiles", "HTTPFetching",
                "ProcessSignals",
                "RankwiseWire", "ServerCalls",
                "Training", "TrainingData", .argumentParser, .logging, .system,
            ]
        ),
        program(
            "rankwise-lab",
            [
                "AdapterFormat", "AdapterOperations", "Aggregation", "Benchmarks", "ClientAgent", "DurableFiles",
                "HTTPFetching", "HTTPServing", "LinearAlgebra", "MemoryObjects", "ModelFiles", "ObjectStorage",
                "ProcessSignals", "StrictJSON", "Tokenizers",
                "RankwiseWire", "ServerCalls", "Simulation",
                "Training",
                "TrainingData", .yams,
                .argumentParser, .logging,
            ]
        ),

        .target(name: "TestStage", dependencies: ["CLinux"], path: "Tests/TestStage", swiftSettings: strict),
        .target(
            name: "TestCertificates", dependencies: ["TestStage"], path: "Tests/TestCertificates", swiftSettings: strict
        ),
        tests("LinearAlgebraTests", ["LinearAlgebra"]),
        tests(
            "AdapterFormatTests", ["AdapterFormat", "StrictJSON"], resources: [.copy("Fixtures"), .copy("Hostile")]),
        tests(
            "ModelFilesTests", ["ModelFiles", "AdapterFormat", "CVectors", "StrictJSON"], resources: [.copy("Fixtures")]
        ),
        tests("AggregationTests", ["Aggregation", "AdapterFormat", "LinearAlgebra"], resources: [.copy("Fixtures")]),
        tests("FederationTests", ["Federation", "LinearAlgebra"]),
        tests(
            "CoordinatorTests",
            ["Coordinator", "Aggregation", "Federation", "SQLiteStore", "AdapterFormat", .crypto, .logging]),
        tests("DurableFilesTests", ["DurableFiles", "TestStage", .system]),
        .target(
            name: "StoreConformance", dependencies: ["Federation", .crypto], path: "Tests/StoreConformance",
            swiftSettings: strict),
        .target(
            name: "Interleavings", dependencies: ["Coordinator", "Federation"], path: "Tests/Interleavings",
            swiftSettings: strict),
        tests("InterleavingTests", ["Interleavings"]),
        tests(
            "SQLiteStoreTests",
            [
                "SQLiteStore", "StoredRows", "DurableFiles", "Federation", "StoreConformance", "TestStage", .crypto,
                .grdb, .logging,
            ],
            resources: [.copy("Fixtures")]),
        tests(
            "PostgresStoreTests",
            [
                "PostgresStore", "MemoryObjects", "ObjectStorage", "Federation", "SQLiteStore", "StoreConformance",
                "StoredRows", .crypto, .logging,
            ]),
        tests(
            "HTTPServingTests",
            ["HTTPServing", "COpenSSL", "TestCertificates", "TestStage", .httpTypes, .crypto, .logging]),
        tests("RankwiseWireTests", ["RankwiseWire"]),
        tests(
            "CoordinatorAPITests",
            [
                "AdapterFormat", "CoordinatorAPI", "Coordinator", "Dashboard", "Federation", "HTTPFetching",
                "HTTPServing", "MetricsExposition", "SQLiteStore", "RankwiseWire", .crypto, .httpTypes, .logging,
            ], resources: [.copy("Fixtures")]),
        tests(
            "EndToEndTests",
            [
                "AdapterFormat", "AdapterOperations", "AdminProgram", "ClientAgent", "Federation", "HTTPFetching",
                "HTTPServing", "LinearAlgebra", "MemoryObjects", "ObjectStorage", "RankwiseWire", "ServerCalls",
                "TestCertificates",
                "TestStage", "Training", "TrainingData", "ServerProgram", "rankwise-admin", "rankwise-server",
                "rankwise-cluster-server", "rankwise-client", .argumentParser, .logging,
            ]),
        tests(
            "AdminProgramTests",
            ["AdminProgram", "HTTPFetching", "RankwiseWire", "ServerCalls", "TestStage", .argumentParser]),
        tests("ChartsTests", ["Charts"]),
        tests("MetricsExpositionTests", ["MetricsExposition", .metrics]),
        tests("HTTPFetchingTests", ["HTTPFetching", "TestStage"]),
        tests(
            "ObjectStorageTests",
            [
                "ObjectStorage", "MemoryObjects", "HTTPFetching", "HTTPServing", "TestCertificates", "TestStage",
                .crypto, .logging,
            ],
            resources: [.copy("Fixtures")]),
        tests(
            "SimulationTests",
            [
                "Simulation", "AdapterFormat", "Charts", "Coordinator", "CoordinatorAPI", "Federation", "RankwiseWire",
                "Training", "TrainingData",
            ]),
        tests(
            "AdapterOperationsTests", ["AdapterOperations", "AdapterFormat", "LinearAlgebra"],
            resources: [.copy("Fixtures")]),
        tests(
            "TokenizersTests", ["Tokenizers", "AdapterFormat", "ModelFiles"], resources: [.copy("Fixtures")]),
        tests("TrainingDataTests", ["TrainingData", "LinearAlgebra", "Tokenizers"], resources: [.copy("Fixtures")]),
        tests(
            "TrainingTests",
            [
                "Training", "TrainingData", "AdapterFormat", "AdapterOperations", "LinearAlgebra", "ModelFiles",
                "TestStage", "Tokenizers",
            ],
            resources: [.copy("Fixtures")]),
        tests(
            "ClientAgentTests",
            [
                "ClientAgent", "HTTPFetching", "RankwiseWire", "ServerCalls", "Training", "AdapterFormat",
                "AdapterOperations", "TestStage", .crypto,
            ]),
    ]
)

// The fuzz targets bring an entry of their own and are built by scripts/fuzz alone.
if Context.environment["RANKWISE_FUZZ"] == "1" {
    package.targets += [
        program("fuzz-http", ["HTTPServing", .httpTypes]),
        program("fuzz-json", ["AdapterFormat", "RankwiseWire"]),
        program("fuzz-machine", ["FuzzInput", "Coordinator", "CoordinatorAPI", "Federation", "RankwiseWire"]),
        program("fuzz-model", ["AdapterFormat", "ModelFiles", "StrictJSON", "Tokenizers"]),
        program("fuzz-objects", ["ObjectStorage"]),
        program(
            "fuzz-plan",
            [
                "AdapterFormat", "ClientAgent", "HTTPFetching", "RankwiseWire", "ServerCalls", "Training",
                "TrainingData", .crypto,
            ]),
        program("fuzz-safetensors", ["AdapterFormat"]),
        program("fuzz-settings", ["FuzzInput", "Coordinator", "CoordinatorAPI", "Federation", "RankwiseWire"]),
        program("fuzz-tokenizer", ["Tokenizers"]),
        library("FuzzInput", ["Aggregation", "Federation"]),
    ]
}

// The program of scripts/interleavings is built by that script alone.
if Context.environment["RANKWISE_INTERLEAVINGS"] == "1" {
    package.targets.append(
        .executableTarget(
            name: "interleavings", dependencies: ["Interleavings", .argumentParser],
            path: "Tests/InterleavingsProgram", swiftSettings: strict))
}
