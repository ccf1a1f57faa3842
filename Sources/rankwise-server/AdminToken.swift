import Coordinator
import Federation
import Foundation

/// The admin's token: from the environment, else from the data folder, where the first start creates it.
enum AdminToken {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    static func hash(dataFolder: String, environment: [String: String]) throws(Failure) -> ContentDigest {
        if let token = environment["RANKWISE_ADMIN_TOKEN"] {
            guard token.utf8.count >= 32 else {
                throw Failure(
                    description: "RANKWISE_ADMIN_TOKEN has \(token.utf8.count.counted("byte")); expected at least 32")
            }
            return Access.hash(token)
        }
        let path = dataFolder + "/admin.token"
        if let bytes = FileManager.default.contents(atPath: path) {
            let token = String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
            guard token.utf8.count >= 32 else {
                throw Failure(
                    description: "\(path) holds \(token.utf8.count.counted("byte")); expected a token of at least 32")
            }
            return Access.hash(token)
        }
        let token = Access.makeToken()
        // Renamed into place once complete, so that a crash leaves no empty token behind.
        let part = path + ".part"
        let descriptor = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw Failure(description: "\(path) cannot be made: \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        let line = Array((token + "\n").utf8)
        let folder = open(dataFolder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        defer { if folder >= 0 { close(folder) } }
        guard write(descriptor, line, line.count) == line.count, fsync(descriptor) == 0, rename(part, path) == 0,
            fsync(folder) == 0
        else { throw Failure(description: "\(path) cannot be written: \(String(cString: strerror(errno)))") }
        return Access.hash(token)
    }
}
