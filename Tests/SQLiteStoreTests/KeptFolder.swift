import Federation
import Foundation
import Logging
import SQLiteStore
import StoreConformance
import TestStage
import Testing

/// Data folders of earlier versions, as archives under `Fixtures`.
///
/// `scripts/keep-folder` writes the one of the present version. Do that once, before a version that changes the tables is
/// released, and never again for that version: a kept folder does not change. What is in it stands in `write`.
enum KeptFolder {
    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// Where a folder of the present version is to be kept; nil unless the environment asks for it.
    static var target: String? { ProcessInfo.processInfo.environment["RANKWISE_KEEP_FOLDER"] }

    /// Runs a test on a copy of a kept folder.
    static func with(_ name: String, _ test: (_ directory: String) async throws -> Void) async throws {
        let archive = try #require(
            Bundle.module.path(forResource: name, ofType: "tar.gz", inDirectory: "Fixtures"))
        try await withDirectory { directory in
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
            try #require(try Program(["tar", "-xzf", archive, "-C", directory]).exitStatus() == 0)
            try await test(directory)
        }
    }

    /// Writes the archive of a folder with two federations.
    ///
    /// `digits` has published round 1 with two updates, and has one update and a refusal in round 2. `crowd` is in
    /// round 1 with 52 clients, so that its audit log has them by a digest.
    static func write(to archive: String) async throws {
        try await withDirectory { directory in
            let store = try SQLiteStore(directory: directory, logger: logger)
            let digits = try await LiveFederation(creating: "digits", in: Stores(store))
            try await digits.register("edge-1", "edge-2")
            for client in ["edge-1", "edge-2"] { try await digits.send("1 of \(client)", from: client, round: 1) }
            try store.append([Sample.part("fc1", .a, rows: 0..<4)], of: digits.id, round: 1)
            try await digits.step(.aggregated(Sample.adapter("1"), round: 1))
            try await digits.step(.refused(Sample.refusal("edge-2", "update.shape"), round: 2))
            try await digits.send("2 of edge-1", from: "edge-1", round: 2)
            try await store.sweepBlobs()
            let crowd = try await LiveFederation(creating: "crowd", in: Stores(store)) { $0.policy.minimumClients = 52 }
            for index in 0..<52 { try await crowd.register("edge-\(index)") }
            try store.close()
            let options =
                ["--sort=name", "--owner=0", "--group=0", "--mtime=@0"]
                + ["--exclude=lock", "--exclude=*-shm", "--exclude=*-wal"]
            let tar = try Program(["tar"] + options + ["-czf", archive, "-C", directory, "."])
            try #require(tar.exitStatus() == 0)
        }
    }
}
