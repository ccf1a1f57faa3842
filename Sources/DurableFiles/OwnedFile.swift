package import Glibc
import SystemPackage

/// An open file or folder, closed with its last owner; child processes do not inherit it.
package final class OwnedFile: Sendable {
    package enum Purpose: Sendable {
        /// To read what is there.
        case reading
        /// To sync or lock a folder.
        case folder
        /// To write into a file that is there.
        case writing
        /// To write a file anew, whether one is there or not.
        case replacing
        /// As `replacing`, and to read what was written.
        case replacingToRead
        /// To write a file that is not there yet.
        case creating
        /// To lock a file, which is made where there is none.
        case locking
    }

    package let path: String
    private let descriptor: FileDescriptor

    /// - Parameter mode: who may use a file that is made here; its owner alone unless it says more.
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

    /// For calls that take a number. It is good while this value lives, so the caller holds on to that.
    package var number: CInt { descriptor.rawValue }

    package func status() throws(FileError) -> stat {
        var status = stat()
        guard fstat(number, &status) == 0 else { throw FileError(doing: "look at", path: path) }
        return status
    }

    /// How many bytes a regular file has.
    package var length: Int {
        get throws(FileError) {
            let status = try status()
            guard status.st_mode & S_IFMT == S_IFREG else {
                throw FileError(doing: "look at", path: path, code: .invalidArgument, text: "not a regular file")
            }
            return Int(status.st_size)
        }
    }

    /// Makes what was written, or a folder's names, durable.
    package func sync() throws(FileError) {
        guard fsync(number) == 0 else { throw FileError(doing: "sync", path: path) }
    }

    /// Cuts the file, or fills it up with zeros.
    package func truncate(to length: Int) throws(FileError) {
        try FileError.naming("cut", path) { try descriptor.resize(to: Int64(length)) }
    }
}

extension OwnedFile {
    /// Up to `buffer.count` bytes from `offset`; 0 at the end.
    package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileError) -> Int {
        try FileError.naming("read", path) {
            try descriptor.read(fromAbsoluteOffset: Int64(offset), into: buffer)
        }
    }

    /// `count` bytes from `offset`, fewer where the file ends before.
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

    /// Hands all bytes from here to the end to `take`, up to 1 MiB at a time.
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

    /// All bytes from here to the end, also of a pipe.
    package func contents() throws(FileError) -> [UInt8] {
        // One byte more than the file has shows its end without another read; a file that grows is read to its end.
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

    /// Writes all bytes where the last write ended.
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
