import ArgumentParser
import Federation
import Foundation
import RankwiseWire
import Testing

@testable import ServerProgram

/// The settings of servers that share their data, and that their secrets are not shown.
@Suite struct ClusterSettingsTests {
    private func settings(
        _ document: String, _ flags: [String] = [], _ environment: [String: String] = [:]
    ) throws -> ServerSettings {
        let file = try WireJSON.decodeStrictly(ServerDocument.self, from: Data(document.utf8))
        return try ServerSettings(file: file, flags: ServerFlags.parse(flags), environment: environment)
    }

    private static let shared = #"{"data": "postgresql://h/d", "objects": "s3://b/p""#

    @Test func `a database comes with a bucket, a local folder and a role`() throws {
        let file = try settings(
            Self.shared + #", "scratch": "/s", "role": "work", "postgres": {"durability": "lone"}}"#)
        #expect(file.cluster?.database == "postgresql://h/d" && file.cluster?.objects == "s3://b/p")
        #expect(file.cluster?.scratch == "/s" && file.role == .work && file.cluster?.postgres.durability == "lone")
        let flags = try settings("{}", ["--data", "postgres://x/y", "--objects", "s3://c/q", "--role", "serve"])
        #expect(flags.cluster?.database == "postgres://x/y" && flags.role == .serve)
        let environment = try settings(
            Self.shared + "}", [], ["RANKWISE_OBJECTS": "s3://e/r", "RANKWISE_ROLE": "serve", "RANKWISE_SCRATCH": "/e"])
        #expect(environment.cluster?.objects == "s3://e/r" && environment.cluster?.scratch == "/e")
        #expect(environment.role == .serve)
        #expect(try settings("{}").cluster == nil)
    }

    @Test(arguments: [
        (#"{"data": "postgresql://h/d"}"#, "objects"),
        (#"{"data": "postgresql://h/d", "objects": "/folder"}"#, "objects"),
        (#"{"objects": "s3://b/p"}"#, "objects"), (#"{"scratch": "/s"}"#, "scratch"),
        (#"{"postgres": {}}"#, "postgres"), (#"{"object_storage": {}}"#, "object_storage"),
        (#"{"role": "work"}"#, "role"), (shared + #", "role": "idle"}"#, "role"),
    ])
    func `what does not fit is refused by its key`(document: String, path: String) throws {
        let error = #expect(throws: SettingsError.self) { try settings(document) }
        #expect(error?.path == path, "\(String(describing: error))")
    }

    @Test(arguments: [
        (#", "postgres": {"durability": "none"}}"#, "postgres.durability"),
        (#", "postgres": {"connections": 1}}"#, "postgres.connections"),
        (#", "postgres": {"patience": 1}}"#, "postgres.patience"),
        (#", "object_storage": {"credentials_profile": "p"}}"#, "object_storage.credentials_profile"),
        (
            #", "object_storage": {"credentials_file": "f", "credentials_command": ["c"]}}"#,
            "object_storage.credentials_command"
        ),
        (#", "object_storage": {"bucket": "b"}}"#, "object_storage.bucket"),
    ])
    func `a wrong or unknown key of a part is named with it`(rest: String, path: String) throws {
        let error = #expect(throws: (any Error).self) { try settings(Self.shared + rest) }
        #expect("\(String(describing: error))".contains(path), "\(String(describing: error))")
    }

    @Test(arguments: [
        ("postgresql://user:secret@h:1/d?password=secret", "postgresql://user@h:1/d"),
        ("postgresql://h/d?user=u&password=secret", "postgresql://h/d"),
        ("postgresql://u:p%40secret@h1,h2/d", "postgresql://u@h1,h2/d"), ("postgresql:///d", "postgresql:///d"),
        ("postgresql://h/a@b", "postgresql://h/a@b"),
    ])
    func `a connection string is shown without its password`(url: String, shown: String) {
        #expect(ClusterSettings.withoutPassword(url) == shown)
    }
}
