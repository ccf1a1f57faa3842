import DurableFiles
package import FoundationEssentials

/// Writes files so that they are either complete and durable, or absent.
package enum WholeFile {
    /// Replaces the file at `path` with what `write` writes to its descriptor.
    package static func replace(_ path: String, write: (Int32) throws -> Void) throws(AdapterFileError) {
        do {
            try DurableFile.replace(path, promising: .content) { try write($0.number) }
        } catch {
            throw .writing(path, error)
        }
    }

    /// Replaces the file at `path` with bytes in memory.
    package static func replace(_ path: String, with contents: Data) throws(AdapterFileError) {
        do throws(FileError) {
            try DurableFile.replace(path, promising: .content, with: Array(contents))
        } catch {
            throw .writing(path, error)
        }
    }
}
