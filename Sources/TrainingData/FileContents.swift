import DurableFiles

/// Reads a whole file, of the edge owner's own, into memory.
package enum FileContents {
    package static func read(_ path: String) throws(DataSetError) -> [UInt8] {
        do throws(FileError) {
            let file = try OwnedFile(path, for: .reading)
            // Refuses what is no regular file.
            _ = try file.length
            return try file.contents()
        } catch {
            throw .unreadable(file: path, reason: error.text)
        }
    }
}
