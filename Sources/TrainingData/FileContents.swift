import DurableFiles

/// Reads a whole file of the client's owner into memory.
package enum FileContents {
    package static func read(_ path: String) throws(DataSetError) -> [UInt8] {
        do throws(FileError) {
            let file = try OwnedFile(path, for: .reading)
            // Throws where it is no regular file.
            _ = try file.length
            return try file.contents()
        } catch {
            throw .unreadable(file: path, reason: error.text)
        }
    }
}
