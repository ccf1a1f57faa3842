import CLinux
import Foundation

/// A file held open for answers. Reads name their offsets, so any number of answers may share it.
package final class OpenFile: Sendable {
    package let byteCount: Int
    let descriptor: Int32

    /// Opening may wait for the disk, so do not call it first in a handler if the file may be cold.
    package init(path: String) throws(OpenFileError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw errno == ENOENT ? .notFound : .failed(errno: errno) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw .notRegular
        }
        self.descriptor = descriptor
        byteCount = Int(status.st_size)
    }

    deinit { close(descriptor) }
}

package enum OpenFileError: Error, Sendable, Hashable {
    case notFound
    case notRegular
    case failed(errno: Int32)
}
