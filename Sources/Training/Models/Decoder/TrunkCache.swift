import Glibc
import LinearAlgebra

/// The outputs of a decoder's frozen lower blocks, the trunk, in a file: a text passes them once for all epochs, and for all
/// rounds in which they stay the same.
///
/// The file has a header with the trunk's fingerprint, and a record for each text: the count of its tokens, a checksum, the
/// tokens, and their outputs (tokens × hidden). Whatever does not fit this form is computed and written again, so a file that a
/// killed process left is no error. A text beyond the limit, or one that the disk has no room for, is computed each time.
final class TrunkCache {
    private struct Entry {
        let offset: Int
        let checksum: UInt64
    }

    private static let magic: UInt64 = 0x3165_6863_6163_6b72
    private static let headerBytes = 32
    private static let recordBytes = 16

    private let descriptor: Int32
    private let hidden: Int
    private let limit: Int
    private var end: Int
    private var entries: [[Int32]: Entry] = [:]

    /// The number of texts whose outputs are there.
    var count: Int { entries.count }

    /// - Parameters:
    ///   - fingerprint: of the trunk. A file of another trunk is begun anew.
    ///   - hidden: the width of an output.
    /// - Returns: nil where the file cannot be opened or written.
    init?(path: String, fingerprint: Fingerprint, hidden: Int, limit: Int) {
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        self.hidden = hidden
        self.limit = limit
        end = Self.headerBytes
        guard descriptor >= 0 else { return nil }
        let header = [Self.magic, UInt64(hidden), fingerprint.first, fingerprint.second]
        var found = [UInt64](repeating: 0, count: header.count)
        if Self.read(descriptor, at: 0, &found), found == header {
            readEntries()
        } else if ftruncate(descriptor, 0) != 0 || !Self.write(descriptor, at: 0, header) {
            return nil
        }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// Finds the records. Behind the last whole one the file is cut, so that new ones follow it.
    private func readEntries() {
        while true {
            var record = [UInt64](repeating: 0, count: 2)
            guard Self.read(descriptor, at: end, &record), record[0] > 0, record[0] < 1 << 32 else { break }
            let count = Int(record[0])
            let size = size(of: count)
            var status = stat()
            guard fstat(descriptor, &status) == 0, end + size <= Int(status.st_size) else { break }
            var tokens = [Int32](repeating: 0, count: count)
            guard Self.read(descriptor, at: end + Self.recordBytes, &tokens) else { break }
            entries[tokens] = Entry(offset: end, checksum: record[1])
            end += size
        }
        ftruncate(descriptor, off_t(end))
    }

    private func size(of tokens: Int) -> Int { Self.recordBytes + 4 * tokens * (1 + hidden) }

    /// Reads the outputs of a text.
    ///
    /// - Parameter target: (tokens × hidden)
    /// - Returns: false where they are not there, or not as they were written.
    func read(_ tokens: [Int32], into target: UnsafeMutableBufferPointer<Float>) -> Bool {
        guard let entry = entries[tokens] else { return false }
        precondition(target.count == tokens.count * hidden, "\(target.count) numbers for \(tokens.count) tokens")
        let bytes = UnsafeMutableRawBufferPointer(target)
        let isThere = Self.read(descriptor, at: entry.offset + Self.recordBytes + 4 * tokens.count, bytes)
        guard isThere, checksum(tokens, target) == entry.checksum else {
            entries[tokens] = nil
            return false
        }
        return true
    }

    /// Writes the outputs of a text (tokens × hidden), where there is room.
    func add(_ tokens: [Int32], _ outputs: UnsafeBufferPointer<Float>) {
        let size = size(of: tokens.count)
        guard entries[tokens] == nil, !tokens.isEmpty, end + size <= limit else { return }
        let checksum = checksum(tokens, outputs)
        // The record's head comes last: without it, the file ends before the record.
        let isWritten =
            Self.write(descriptor, at: end + Self.recordBytes, tokens)
            && Self.write(descriptor, at: end + Self.recordBytes + 4 * tokens.count, UnsafeRawBufferPointer(outputs))
            && Self.write(descriptor, at: end, [UInt64(tokens.count), checksum])
        guard isWritten else {
            ftruncate(descriptor, off_t(end))
            return
        }
        entries[tokens] = Entry(offset: end, checksum: checksum)
        end += size
    }

    private func checksum(_ tokens: [Int32], _ outputs: some Collection<Float>) -> UInt64 {
        var fingerprint = Fingerprint()
        fingerprint.add(tokens.lazy.map { UInt64(UInt32(bitPattern: $0)) })
        fingerprint.add(outputs)
        return fingerprint.first
    }

    private static func read<Element: BitwiseCopyable>(
        _ descriptor: Int32, at offset: Int, _ target: inout [Element]
    ) -> Bool {
        target.withUnsafeMutableBytes { read(descriptor, at: offset, $0) }
    }

    private static func read(_ descriptor: Int32, at offset: Int, _ target: UnsafeMutableRawBufferPointer) -> Bool {
        transfer(target.count) { done in
            pread(descriptor, target.baseAddress.map { $0 + done }, target.count - done, off_t(offset + done))
        }
    }

    private static func write<Element: BitwiseCopyable>(
        _ descriptor: Int32, at offset: Int, _ source: [Element]
    ) -> Bool {
        source.withUnsafeBytes { write(descriptor, at: offset, $0) }
    }

    private static func write(_ descriptor: Int32, at offset: Int, _ source: UnsafeRawBufferPointer) -> Bool {
        transfer(source.count) { done in
            pwrite(descriptor, source.baseAddress.map { $0 + done }, source.count - done, off_t(offset + done))
        }
    }

    /// Repeats a call that may do a part of its work until all bytes are done.
    private static func transfer(_ byteCount: Int, _ call: (_ done: Int) -> Int) -> Bool {
        var done = 0
        while done < byteCount {
            let count = call(done)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            done += count
        }
        return true
    }
}
