import Glibc
import SystemPackage

/// Files that are whole under their names after any crash: the old content or the new, never a part.
package enum DurableFile {
    /// What is on disk when a file was replaced.
    package enum Promise: Sendable {
        /// Nothing yet: after a power cut, the file may be empty.
        case nothing
        /// The content, so that the name never stands for less than all of it.
        case content
        /// The content and then the name.
        case contentAndName
    }

    /// Replaces the file at `path` with what `write` leaves in the file that it is lent, which lies beside it until then.
    ///
    /// The content is synced before it gets the name, and the folder after that. Where anything up to the new name
    /// fails, the old file stays and the new one goes, so that what did not fit takes no room from what may.
    ///
    /// - Parameters:
    ///   - ending: what the name of the file beside it has more.
    ///   - mode: who may use the file.
    package static func replace(
        _ path: String, promising promise: Promise, ending: String = ".part", mode: UInt32 = 0o600,
        write: (OwnedFile) throws -> Void
    ) throws {
        let part = path + ending
        let file = try OwnedFile(part, for: .replacing, mode: mode)
        do {
            try write(file)
            try publish(file, as: path, promising: promise)
        } catch {
            unlink(part)
            throw error
        }
        if promise == .contentAndName { try syncFolder(of: path) }
    }

    /// Replaces the file at `path` with bytes that are in memory.
    package static func replace(
        _ path: String, promising promise: Promise, ending: String = ".part", with bytes: [UInt8]
    ) throws(FileError) {
        let part = path + ending
        let file = try OwnedFile(part, for: .replacing)
        do throws(FileError) {
            try file.write(bytes)
            try publish(file, as: path, promising: promise)
        } catch {
            unlink(part)
            throw error
        }
        if promise == .contentAndName { try syncFolder(of: path) }
    }

    private static func publish(_ file: OwnedFile, as path: String, promising promise: Promise) throws(FileError) {
        if promise != .nothing { try file.sync() }
        try rename(file.path, to: path)
    }

    /// Gives a file another name, in place of the file that has it.
    package static func rename(_ path: String, to other: String) throws(FileError) {
        guard Glibc.rename(path, other) == 0 else { throw FileError(doing: "rename to \(other)", path: path) }
    }

    /// Deletes a file; one that is gone already is no error.
    package static func remove(_ path: String) throws(FileError) {
        guard unlink(path) == 0 || errno == ENOENT else { throw FileError(doing: "delete", path: path) }
    }

    /// Makes a file that somebody else wrote durable, and then its name.
    package static func sync(_ path: String) throws(FileError) {
        try OwnedFile(path, for: .reading).sync()
        try syncFolder(of: path)
    }

    /// Makes the names in a folder durable.
    package static func syncFolder(_ path: String) throws(FileError) {
        try OwnedFile(path, for: .folder).sync()
    }

    /// Makes the name of a file or folder durable.
    package static func syncFolder(of path: String) throws(FileError) {
        let parent = FilePath(path).removingLastComponent()
        try syncFolder(parent.isEmpty ? "." : parent.string)
    }
}
