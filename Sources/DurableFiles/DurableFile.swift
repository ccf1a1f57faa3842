import Glibc
import SystemPackage

/// Files that are complete under their names after any crash. They have the old content or the new content, never a
/// part.
package enum DurableFile {
    /// The data that is durable when a file was replaced.
    package enum Promise: Sendable {
        /// Nothing yet: after a power cut, the file may be empty.
        case nothing
        /// The content, so that the name never refers to a part of it.
        case content
        /// The content, then the name.
        case contentAndName
    }

    /// Replaces the file at `path` with the content that `write` writes to a temporary file beside it.
    ///
    /// As `promise` requires, the content is synced before it gets the name, and the folder after that. If a step up to
    /// the rename fails, the old file stays. The new file is then deleted, so that it takes no space from others.
    ///
    /// - Parameters:
    ///   - ending: the suffix of the temporary file's name.
    ///   - mode: the permissions of the file.
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

    /// Replaces the file at `path` with bytes in memory.
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

    /// Renames a file, and replaces a file that has the new name.
    package static func rename(_ path: String, to other: String) throws(FileError) {
        guard Glibc.rename(path, other) == 0 else { throw FileError(doing: "rename to \(other)", path: path) }
    }

    /// Deletes a file; a missing file is no error.
    package static func remove(_ path: String) throws(FileError) {
        guard unlink(path) == 0 || errno == ENOENT else { throw FileError(doing: "delete", path: path) }
    }

    /// Makes a file that somebody else wrote durable, then its name.
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
