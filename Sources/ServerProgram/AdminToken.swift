import Coordinator
import DurableFiles
package import Federation
import Foundation

/// The admin's token: from the environment, else from the data folder, where the first start creates it.
package enum AdminToken {
    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    package static func hash(dataFolder: String, environment: [String: String]) throws(Failure) -> ContentDigest {
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
        do throws(FileError) {
            try DurableFile.replace(path, promising: .contentAndName, with: Array((token + "\n").utf8))
        } catch {
            throw Failure(description: "\(path) cannot be written: \(error.text)")
        }
        return Access.hash(token)
    }
}
