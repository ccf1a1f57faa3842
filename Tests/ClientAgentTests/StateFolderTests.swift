import ClientAgent
import TestStage
import Testing

/// What an agent keeps, and what it refuses to go on with.
struct StateFolderTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    @Test func `a second agent on one folder is refused`() throws {
        let first = try StateFolder(folder.path)
        #expect(throws: StateError.inUse(folder: folder.path)) { try StateFolder(folder.path) }
        #expect(first.path == folder.path)
    }

    @Test func `the lock goes with its agent`() throws {
        do { _ = try StateFolder(folder.path) }
        _ = try StateFolder(folder.path)
    }

    @Test func `identity and progress are what was kept`() throws {
        let state = try StateFolder(folder.path)
        let identity = try state.identity(server: "http://a", federation: "f", client: "c")
        #expect(try state.identity(server: "http://a", federation: "f", client: "c") == identity)
        #expect(try state.progress() == AgentProgress())
        var progress = AgentProgress()
        progress.lastRound = 7
        progress.unacknowledged = AgentProgress.Unacknowledged(round: 8, samples: 3, loss: nil, accuracy: 0.5)
        try state.keep(progress)
        #expect(try state.progress() == progress)
        #expect(folder.names == ["identity.json", "lock", "progress.json"])
    }

    @Test(arguments: [
        ("http://b", "f", "c", "server"), ("http://a", "g", "c", "federation"), ("http://a", "f", "d", "client"),
    ])
    func `the identity of another is refused`(server: String, federation: String, client: String, field: String) throws
    {
        let state = try StateFolder(folder.path)
        _ = try state.identity(server: "http://a", federation: "f", client: "c")
        let error = try #require(
            #expect(throws: StateError.self) {
                try state.identity(server: server, federation: federation, client: client)
            })
        guard case .ofAnother(_, field, _, _) = error else {
            Issue.record("expected another's \(field), got \(error)")
            return
        }
    }

    @Test(arguments: ["", "{", "[]", #"{"server":"http://a"}"#, "\u{0}"])
    func `an identity that cannot be read is refused, not replaced`(text: String) throws {
        _ = try folder.write("identity.json", Array(text.utf8))
        let state = try StateFolder(folder.path)
        #expect(throws: StateError.self) { try state.identity(server: "http://a", federation: "f", client: "c") }
        #expect(folder.bytes("identity.json") == Array(text.utf8))
    }

    @Test(arguments: ["", "{", #"{"last_round":"two"}"#, #"{"last_round":1e99}"#])
    func `progress that cannot be read is refused`(text: String) throws {
        _ = try folder.write("progress.json", Array(text.utf8))
        let state = try StateFolder(folder.path)
        #expect(throws: StateError.self) { try state.progress() }
    }

    @Test func `a file in place of the folder is refused`() throws {
        let path = try folder.write("state", [])
        #expect(throws: StateError.self) { try StateFolder(path) }
    }
}
