package import Glibc
import SystemPackage

/// An open file or folder that is closed with its last owner. Child processes do not inherit it.
package final class OwnedFile: Sendable {
    package enum Purpose: Sendable {
        /// Reads an existing file.
        case reading
        /// Syncs or locks a folder.
        case folder
        /// Writes to an existing file.
        case writing
        /// Writes a file from the start; it may exist.
        case replacing
        /// Like `replacing`, and also reads the written data.
        case replacingToRead
        /// Creates a file that must not exist yet.
        case creating
        /// Locks a file, which is created if missing.
        case locking
    }

    package let path: String
    private let descriptor: FileDescriptor

    /// - Parameter mode: the permissions of a file that is created here. By default only its owner can use it.
    package init(_ path: String, for purpose: Purpose, mode: UInt32 = 0o600) throws(FileError) {
        let (access, options): (FileDescriptor.AccessMode, FileDescriptor.OpenOptions) =
            switch purpose {
            case .reading: (.readOnly, [])
            case .folder: (.readOnly, .directory)
            case .writing: (.writeOnly, [])
            case .replacing: (.writeOnly, [.create, .truncate])
            case .replacingToRead: (.readWrite, [.create, .truncate])
            case .creating: (.writeOnly, [.create, .exclusiveCreate])
            case .locking: (.readWrite, .create)
            }
        self.path = path
        descriptor = try FileError.naming("open", path) {
            try FileDescriptor.open(
                FilePath(path), access, options: [options, .closeOnExec], permissions: FilePermissions(rawValue: mode))
        }
    }

    deinit { try? descriptor.close() }

    /// The descriptor's number, for calls that need it. It is valid while this value lives, so the caller must keep the
    /// value.
    package var number: CInt { descriptor.rawValue }

    package func status() throws(FileError) -> stat {
        var status = stat()
        guard fstat(number, &status) == 0 else { throw FileError(doing: "look at", path: path) }
        return status
    }

    /// The byte count of a regular file.
    package var length: Int {
        get throws(FileError) {
            let status = try status()
            guard status.st_mode & S_IFMT == S_IFREG else {
                throw FileError(doing: "look at", path: path, code: .invalidArgument, text: "not a regular file")
            }
            return Int(status.st_size)
        }
    }

    /// Makes written data, or a folder's names, durable.
    package func sync() throws(FileError) {
        guard fsync(number) == 0 else { throw FileError(doing: "sync", path: path) }
    }

    /// Truncates the file, or extends it with zeros.
    package func truncate(to length: Int) throws(FileError) {
        try FileError.naming("cut", path) { try descriptor.resize(to: Int64(length)) }
    }
}

extension OwnedFile {
    /// Reads up to `buffer.count` bytes from `offset`; returns 0 at the end.
    package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileError) -> Int {
        try FileError.naming("read", path) {
            try descriptor.read(fromAbsoluteOffset: Int64(offset), into: buffer)
        }
    }

    /// Reads `count` bytes from `offset`; fewer where the file ends earlier.
    package func bytes(_ count: Int, at offset: Int) throws(FileError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let got = try FileError.naming("read", path) {
                try bytes.withUnsafeMutableBytes {
                    try read(into: UnsafeMutableRawBufferPointer(rebasing: $0[filled...]), at: offset + filled)
                }
            }
            guard got > 0 else { break }
            filled += got
        }
        bytes.removeSubrange(filled...)
        return bytes
    }

    /// Passes all bytes from the present position to `take`, up to 1 MiB at a time.
    package func readAll(_ take: (UnsafeRawBufferPointer) throws(FileError) -> Void) throws(FileError) {
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = try read(into: &buffer, from: 0)
            guard count > 0 else { return }
            try buffer.span.bytes.withUnsafeBytes { bytes throws(FileError) in
                try take(UnsafeRawBufferPointer(rebasing: bytes[..<count]))
            }
        }
    }

    /// Reads all bytes from the present position to the end, also of a pipe.
    package func contents() throws(FileError) -> [UInt8] {
        // One byte more than the file's length shows its end without another read. A file that grows is read to its
        // end.
        var bytes = [UInt8](repeating: 0, count: Int(try status().st_size) + 1)
        var filled = 0
        while true {
            let count = try read(into: &bytes, from: filled)
            if count == 0 { break }
            filled += count
            if filled == bytes.count { bytes.append(contentsOf: repeatElement(0, count: bytes.count)) }
        }
        bytes.removeSubrange(filled...)
        return bytes
    }

    private func read(into bytes: inout [UInt8], from start: Int) throws(FileError) -> Int {
        try FileError.naming("read", path) {
            try bytes.withUnsafeMutableBytes {
                try descriptor.read(into: UnsafeMutableRawBufferPointer(rebasing: $0[start...]))
            }
        }
    }

    /// Writes all bytes after the last write.
    package func write(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
        try writeAll(bytes) { try descriptor.write($1) }
    }

    /// Writes all bytes from `offset` on.
    package func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(FileError) {
        try writeAll(bytes) { try descriptor.write(toAbsoluteOffset: Int64(offset + $0), $1) }
    }

    package func write(_ bytes: [UInt8]) throws(FileError) {
        try bytes.span.bytes.withUnsafeBytes { bytes throws(FileError) in try write(bytes) }
    }

    private func writeAll(
        _ bytes: UnsafeRawBufferPointer, _ write: (_ done: Int, UnsafeRawBufferPointer) throws -> Int
    ) throws(FileError) {
        var done = 0
        while done < bytes.count {
            done += try FileError.naming("write", path) {
                try write(done, UnsafeRawBufferPointer(rebasing: bytes[done...]))
            }
        }
    }
}
