import DurableFiles
import FoundationEssentials

/// Reads tokens and finds certificates where the user says they are: in a file, or by a variable of the environment.
package enum AccessFiles {
    /// The token in the file, or in the variable where no file is named; nil where there is none.
    package static func token(file: String?, variable: String) throws(AccessError) -> String? {
        let text: String?
        if let file {
            // Also from a pipe, as a shell's <(…) is.
            guard let bytes = try? OwnedFile(file, for: .reading).contents(),
                let contents = String(validating: bytes, as: UTF8.self)
            else { throw AccessError("the token file \(file) cannot be read") }
            text = contents
        } else {
            text = ProcessInfo.processInfo.environment[variable]
        }
        guard let token = text?.trimmed, !token.isEmpty else { return nil }
        guard token.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw AccessError("the token holds characters that no token has")
        }
        return token
    }

    /// The path that a flag gives, or the variable where the flag is missing; nil where there is none.
    package static func readable(_ flag: String?, _ name: String, _ variable: String) throws(AccessError) -> String? {
        guard let path = flag ?? ProcessInfo.processInfo.environment[variable] else { return nil }
        guard FileManager.default.isReadableFile(atPath: path) else {
            throw AccessError("\(flag == nil ? variable : name) is \(path), which cannot be read")
        }
        return path
    }
}

extension String {
    /// Without white space and line breaks at both ends.
    fileprivate var trimmed: String {
        let end = lastIndex { !$0.isWhitespace }
        return end.map { String(self[...$0].drop(while: \.isWhitespace)) } ?? ""
    }
}
