import CLinux
import Foundation

/// A file held open for answers, read at stated offsets only, so that any number of them may share it.
package final class OpenFile: Sendable {
    package let byteCount: Int
    let descriptor: Int32

    /// Opening may wait for the disk: not for a handler's first line if the file can be cold.
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
