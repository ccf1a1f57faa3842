import AdapterFormat
import Foundation

/// A folder for this process alone, in memory if the machine supports it. It is removed with its last reference.
final class ScratchFolder: Sendable {
    let path: String

    private static let prefix = "rankwise-lab-"

    init() throws(SimulationError) {
        let memory = "/dev/shm"
        let parent = access(memory, W_OK) == 0 ? memory : NSTemporaryDirectory()
        Self.sweep(parent)
        path = parent + "/\(Self.prefix)\(getpid())-\(UUID().uuidString)"
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            throw .file(path, reason: "\(error)")
        }
    }

    deinit { remove(path) }

    /// Removes the folders of killed processes.
    private static func sweep(_ parent: String) {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: parent)) ?? [] where name.hasPrefix(prefix) {
            let owner = name.dropFirst(prefix.count).prefix { $0 != "-" }
            guard let process = pid_t(owner), process > 0, kill(process, 0) != 0, errno == ESRCH else { continue }
            try? FileManager.default.removeItem(atPath: parent + "/" + name)
        }
    }

    /// Removes a folder and its contents; ignores what cannot be removed.
    func remove(_ path: String) { try? FileManager.default.removeItem(atPath: path) }

    /// The length of a file in bytes.
    static func size(of path: String) throws -> Int {
        var status = stat()
        guard stat(path, &status) == 0 else { throw SystemError.last("stat \(path)") }
        return Int(status.st_size)
    }
}
