import AdapterFormat
import Foundation

/// A folder of this process alone, in memory where the machine has such, which goes when nobody holds it any more.
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

    /// Removes what processes that were killed have left.
    private static func sweep(_ parent: String) {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: parent)) ?? [] where name.hasPrefix(prefix) {
            let owner = name.dropFirst(prefix.count).prefix { $0 != "-" }
            guard let process = pid_t(owner), process > 0, kill(process, 0) != 0, errno == ESRCH else { continue }
            try? FileManager.default.removeItem(atPath: parent + "/" + name)
        }
    }

    /// Removes a folder with what is in it; what cannot be removed is left.
    func remove(_ path: String) { try? FileManager.default.removeItem(atPath: path) }

    /// The length of a file in bytes.
    static func size(of path: String) throws -> Int {
        var status = stat()
        guard stat(path, &status) == 0 else { throw SystemError.last("stat \(path)") }
        return Int(status.st_size)
    }
}
