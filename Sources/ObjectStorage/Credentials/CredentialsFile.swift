import DurableFiles

/// A file in the format of `~/.aws/credentials`: `[profile]` lines, `name = value` lines, comments.
package enum CredentialsFile {
    private static let mostBytes = 1 << 20

    static func read(_ path: String, profile: String) throws(ObjectError) -> Credentials {
        let bytes: [UInt8]
        do throws(FileError) {
            bytes = try OwnedFile(path, for: .reading).bytes(mostBytes, at: 0)
        } catch {
            throw .credentials("\(error)")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw .credentials("\(path) is not UTF-8") }
        return try parse(text, profile: profile, path: path)
    }

    /// The profile's keys; other settings, such as a region, are not credentials and are left alone.
    package static func parse(_ text: String, profile: String, path: String) throws(ObjectError) -> Credentials {
        var values: [String: String] = [:]
        var isThere = false
        var isInside = false
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            let line = trimmed(line)
            if line.isEmpty || line.hasPrefix("#") || line.hasPrefix(";") { continue }
            if line.hasPrefix("[") {
                guard line.hasSuffix("]") else {
                    throw .credentials("\(path):\(index + 1): no end of the profile's name")
                }
                isInside = trimmed(line.dropFirst().dropLast()) == profile
                guard !isInside || !isThere else { throw .credentials("\(path) has the profile \(profile) twice") }
                isThere = isThere || isInside
            } else if isInside {
                guard let mark = line.firstIndex(of: "=") else { throw .credentials("\(path):\(index + 1): no value") }
                let name = trimmed(line[..<mark]).lowercased()
                guard values[name] == nil else { throw .credentials("\(path):\(index + 1): \(name) comes twice") }
                values[name] = String(trimmed(line[line.index(after: mark)...]))
            }
        }
        guard isThere else { throw .credentials("\(path) has no profile \(profile)") }
        func required(_ name: String) throws(ObjectError) -> String {
            guard let value = values[name], !value.isEmpty else {
                throw .credentials("\(path) has no \(name) in the profile \(profile)")
            }
            return value
        }
        return Credentials(
            accessKeyID: try required("aws_access_key_id"), secretAccessKey: try required("aws_secret_access_key"),
            sessionToken: values["aws_session_token"].flatMap { $0.isEmpty ? nil : $0 })
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }
}
