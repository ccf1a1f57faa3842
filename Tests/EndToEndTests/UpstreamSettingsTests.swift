import ArgumentParser
import Federation
import Foundation
import RankwiseWire
import TestStage
import Testing

@testable import ServerProgram

/// The settings of regional servers.
@Suite struct UpstreamSettingsTests {
    private func settings(
        _ document: String, _ flags: [String] = [], _ environment: [String: String] = [:]
    ) throws -> UpstreamSettings? {
        let file = try WireJSON.decodeStrictly(ServerDocument.self, from: Data(document.utf8))
        return try ServerSettings(file: file, flags: ServerFlags.parse(flags), environment: environment).upstream
    }

    @Test func `a root comes with the region's name and its federations`() throws {
        let file = try settings(
            #"{"data": "/d", "upstream": {"url": "https://root", "name": "north", "federations": {"b": {}, "a": "#
                + #"{"clients": 7, "token_file": "/t"}}}}"#)
        #expect(file?.url == "https://root" && file?.name.rawValue == "north" && file?.folder == "/d/upstream")
        #expect(file?.federations.map(\.id.rawValue) == ["a", "b"])
        #expect(file?.federations.map(\.clients) == [7, 100])
        #expect(file?.federations.map(\.tokenFile) == ["/t", nil])
        let flags = try settings(
            "{}",
            [
                "--upstream", "http://r:1", "--upstream-name", "south", "--upstream-federation", "f",
                "--upstream-clients", "9",
            ], ["RANKWISE_UPSTREAM_TOKEN_FILE": "/e"])
        #expect(flags?.federations.map(\.clients) == [9] && flags?.federations.map(\.tokenFile) == ["/e"])
        #expect(try settings("{}") == nil)
    }

    @Test(arguments: [
        (#"{"name": "north"}"#, "upstream.name"), (#"{"federations": {"f": {}}}"#, "upstream.federations"),
        (#"{"url": "root", "name": "n", "federations": {"f": {}}}"#, "upstream.url"),
        (#"{"url": "http://user@root", "name": "n", "federations": {"f": {}}}"#, "upstream.url"),
        (#"{"url": "http://root", "federations": {"f": {}}}"#, "upstream.name"),
        (#"{"url": "http://root", "name": "N", "federations": {"f": {}}}"#, "upstream.name"),
        (#"{"url": "http://root", "name": "n"}"#, "upstream.federations"),
        (#"{"url": "http://root", "name": "n", "federations": {"F": {}}}"#, "upstream.federations.F"),
        (
            #"{"url": "http://root", "name": "n", "federations": {"f": {"clients": 0}}}"#,
            "upstream.federations.f.clients"
        ),
        (#"{"url": "http://root", "name": "n", "ca_file": "/none", "federations": {"f": {}}}"#, "upstream.ca_file"),
    ])
    func `what does not fit is refused by its key`(upstream: String, path: String) throws {
        let error = #expect(throws: SettingsError.self) { try settings("{\"upstream\": \(upstream)}") }
        #expect(error?.path == path, "\(String(describing: error))")
    }

    @Test func `a regional server has a data folder, and a token file names its federation`() throws {
        let shared =
            #"{"data": "postgresql://h/d", "objects": "s3://b/p", "upstream": {"url": "http://r", "name": "n"}}"#
        #expect(#expect(throws: SettingsError.self) { try settings(shared) }?.path == "upstream.url")
        let flags = ["--upstream", "http://r", "--upstream-name", "n", "--upstream-clients", "3"]
        #expect(#expect(throws: SettingsError.self) { try settings("{}", flags) }?.path == "upstream.federations")
    }
}
