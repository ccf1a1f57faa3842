import AdapterFormat
import Glibc

/// A mapped file that remembers what it was when it was opened.
struct MappedFile: Sendable {
    let path: String
    let storage: TensorStorage
    private let opened: Stamp

    /// What changes with a file's content.
    private struct Stamp: Sendable, Equatable {
        let byteCount: Int
        let seconds: Int
        let nanoseconds: Int

        init(_ status: stat) {
            byteCount = Int(status.st_size)
            seconds = status.st_mtim.tv_sec
            nanoseconds = status.st_mtim.tv_nsec
        }
    }

    init(_ path: String) throws(ModelFileError) {
        self.path = path
        do throws(SystemError) {
            storage = try TensorStorage(mapping: path)
            opened = Stamp(try storage.status())
        } catch {
            throw .unreadable(file: path, error)
        }
    }

    /// Differs from that of any other content that the path had.
    var version: String { "\(opened.byteCount) \(opened.seconds) \(opened.nanoseconds)" }

    func checkUnchanged() throws(ModelFileError) {
        let now: Stamp
        do throws(SystemError) { now = Stamp(try storage.status()) } catch { throw .unreadable(file: path, error) }
        guard now.byteCount == opened.byteCount else {
            throw .changed(file: path, reason: "it had \(opened.byteCount) bytes, and has \(now.byteCount)")
        }
        guard now == opened else { throw .changed(file: path, reason: "it was written to") }
    }
}
