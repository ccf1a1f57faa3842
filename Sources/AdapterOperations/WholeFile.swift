import AdapterFormat
package import Foundation
import Glibc

/// Writes files that are complete and on disk, or absent.
package enum WholeFile {
    /// Replaces the file at `path` with what `write` leaves in the descriptor that it is lent.
    package static func replace(_ path: String, write: (Int32) throws -> Void) throws(AdapterFileError) {
        let part = path + ".part"
        do {
            let descriptor = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
            guard descriptor >= 0 else { throw SystemError.last("open") }
            defer { close(descriptor) }
            try write(descriptor)
            guard fsync(descriptor) == 0 else { throw SystemError.last("fsync") }
            guard rename(part, path) == 0 else { throw SystemError.last("rename") }
        } catch {
            unlink(part)
            throw .writing(path, error)
        }
    }

    /// Replaces the file at `path` with bytes that are in memory.
    package static func replace(_ path: String, with contents: Data) throws(AdapterFileError) {
        try replace(path) { descriptor in
            try FileHandle(fileDescriptor: descriptor, closeOnDealloc: false).write(contentsOf: contents)
        }
    }
}
