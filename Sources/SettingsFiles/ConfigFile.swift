import DurableFiles
import Foundation
import RankwiseWire
import Yams

/// Reads YAML documents as those of `Config/` are; JSON is YAML too.
package enum ConfigFile {
    /// A file that cannot be used, and why.
    package struct Failure: Error, CustomStringConvertible {
        package let path: String
        package let reason: String
        package var description: String { "\(path): \(reason)" }
    }

    /// The document in the file.
    package static func read<Document: Decodable>(_ type: Document.Type, from path: String) throws(Failure) -> Document
    {
        do {
            return try YAMLDecoder().decode(type, from: try text(of: path), userInfo: WireJSON.strictUserInfo)
        } catch {
            throw failure(error, path)
        }
    }

    /// Whether the document describes a federation rather than a server.
    package static func describesFederation(_ path: String) throws(Failure) -> Bool {
        do {
            let node = try Yams.compose(yaml: try text(of: path))
            guard let mapping = node?.mapping else { throw WireError(path: "", reason: "is no mapping of settings") }
            return mapping["base_model"] != nil || mapping["adapter"] != nil || mapping["id"] != nil
        } catch {
            throw failure(error, path)
        }
    }

    private static func text(of path: String) throws -> String {
        // Also from a pipe, as a shell's <(…) is: FileHandle would not wait for one that has no writer yet.
        guard let bytes = try? OwnedFile(path, for: .reading).contents() else {
            throw WireError(path: "", reason: "cannot be read")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw WireError(path: "", reason: "is not UTF-8")
        }
        return text
    }

    private static func failure(_ error: any Error, _ path: String) -> Failure {
        switch error {
        case let error as Failure: error
        case let error as YamlError: Failure(path: path, reason: "is not valid YAML: \(error)")
        default: Failure(path: path, reason: WireError(describing: error).description)
        }
    }
}
