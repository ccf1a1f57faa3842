import DurableFiles
import FoundationEssentials
import Glibc
import RankwiseWire
import ServerCalls

/// An agent's files on disk: identity, progress, the sum of all merges and the files of the current round.
///
/// The folder is locked while this value lives, so that two agents never act as one client.
package final class StateFolder {
    package let path: String
    private let lock: OwnedFile

    /// Opens or creates the folder, for its owner alone.
    package init(_ path: String) throws(StateError) {
        self.path = path
        try Self.makeFolder(path)
        lock = try StateError.onFiles { () throws(FileError) in try OwnedFile(path + "/lock", for: .locking) }
        guard flock(lock.number, LOCK_EX | LOCK_NB) == 0 else { throw .inUse(folder: path) }
    }

    deinit {
        // Given up by name: a child process that is being forked holds a copy of the descriptor for a moment.
        flock(lock.number, LOCK_UN)
    }

    /// Creates a folder and its parents, for its owner alone.
    private static func makeFolder(_ path: String) throws(StateError) {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            if (error as? CocoaError)?.code == .fileWriteOutOfSpace { throw .noRoom(path: path) }
            throw .failed(path: path, reason: "cannot be made")
        }
    }

    // MARK: Identity and progress

    /// The identity of earlier starts, or a new one that is on disk before anybody can learn it.
    package func identity(
        server: String, federation: String, client: String
    ) throws(StateError) -> AgentIdentity {
        guard let found = try read(AgentIdentity.self, identityPath) else {
            let identity = AgentIdentity(server: server, federation: federation, client: client)
            try keep(identity)
            return identity
        }
        for (field, expected, value) in [
            ("server", server, found.server), ("federation", federation, found.federation),
            ("client", client, found.client),
        ] where expected != value {
            throw .ofAnother(folder: path, field: field, expected: expected, found: value)
        }
        return found
    }

    package func keep(_ identity: AgentIdentity) throws(StateError) {
        try write(identity, identityPath)
    }

    package func progress() throws(StateError) -> AgentProgress {
        try read(AgentProgress.self, progressPath) ?? AgentProgress()
    }

    package func keep(_ progress: AgentProgress) throws(StateError) {
        try write(progress, progressPath)
    }

    private var identityPath: String { path + "/identity.json" }
    private var progressPath: String { path + "/progress.json" }

    private func read<T: Decodable>(_ type: T.Type, _ path: String) throws(StateError) -> T? {
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        guard let data = FileManager.default.contents(atPath: path) else {
            throw .unreadable(path: path, reason: "permission denied")
        }
        do throws(WireError) {
            return try WireJSON.decode(type, from: data)
        } catch {
            throw .unreadable(path: path, reason: "\(error)")
        }
    }

    private func write(_ value: some Encodable, _ path: String) throws(StateError) {
        let bytes: [UInt8]
        do throws(WireError) {
            bytes = try WireJSON.bytes(value)
        } catch {
            throw .failed(path: path, reason: "\(error)")
        }
        try StateError.onFiles { () throws(FileError) in
            try DurableFile.replace(path, promising: .contentAndName, ending: ".new", with: bytes)
        }
    }

    // MARK: The sum of merges

    /// The path of the sum of all merges; the file itself records its last round.
    package var merge: String { path + "/merge.safetensors" }

    /// Deletes a file; a missing file is no error.
    func remove(_ path: String) throws(StateError) {
        try StateError.onFiles { () throws(FileError) in try DurableFile.remove(path) }
    }

    /// Makes a file that somebody else wrote durable, with its name.
    func sync(_ path: String) throws(StateError) {
        try StateError.onFiles { () throws(FileError) in try DurableFile.sync(path) }
    }

    // MARK: Files of rounds

    /// The files of `round`, in a folder that exists.
    func files(of round: Int) throws(StateError) -> RoundFiles {
        let files = RoundFiles(folder: "\(rounds)/\(round)")
        try Self.makeFolder(files.outputFolder)
        return files
    }

    /// Removes the files of every round but `kept`.
    func removeRounds(but kept: Int?) throws(StateError) {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: rounds)) ?? [] where Int(name) != kept {
            do {
                try FileManager.default.removeItem(atPath: "\(rounds)/\(name)")
            } catch {
                throw .failed(path: "\(rounds)/\(name)", reason: "cannot be removed")
            }
        }
    }

    private var rounds: String { path + "/rounds" }
}
