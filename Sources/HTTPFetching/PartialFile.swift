import DurableFiles
import Glibc

/// An unfinished download of `target`: its bytes are in `target.part`, and their ETag in `target.part.etag`.
final class PartialFile {
    /// The point at which an interrupted download of the same target can resume.
    struct ResumePoint: Sendable, Hashable {
        var offset: Int64
        var etag: String
    }

    private static let longestETag = 1024

    private let target: String
    private let limit: Int64
    private let file: OwnedFile
    /// Bytes that stand in the file by now.
    private(set) var length: Int64
    private var isResumable: Bool

    /// Opens the part of `target` to continue at `resume`, or from its start with the ETag of the answer.
    init(target: String, limit: Int64, continuing resume: ResumePoint) throws(FetchError) {
        self.target = target
        self.limit = limit
        file = try FetchError.onFiles { () throws(FileError) in
            let file = try OwnedFile(Self.part(of: target), for: .writing)
            try file.truncate(to: Int(resume.offset))
            return file
        }
        length = resume.offset
        isResumable = true
    }

    init(target: String, limit: Int64, etag: String?) throws(FetchError) {
        self.target = target
        self.limit = limit
        // Removes the old ETag first: an ETag must never stand beside other bytes than its own.
        Self.removeETag(of: target)
        file = try FetchError.onFiles { () throws(FileError) in
            try OwnedFile(Self.part(of: target), for: .replacing)
        }
        length = 0
        isResumable = false
        if let etag, etag.hasPrefix("\""), etag.utf8.count <= Self.longestETag {
            try FetchError.onFiles { () throws(FileError) in
                try OwnedFile(Self.note(of: target), for: .replacing).write(Array(etag.utf8))
            }
            isResumable = true
        }
    }

    /// The point where a download of `target` broke off, if it can be continued.
    static func resumePoint(of target: String) -> ResumePoint? {
        guard let file = try? OwnedFile(part(of: target), for: .reading), let offset = try? file.length,
            offset > 0, let note = try? OwnedFile(note(of: target), for: .reading)
        else { return nil }
        var bytes = [UInt8](repeating: 0, count: longestETag)
        let count = bytes.withUnsafeMutableBytes { (try? note.read(into: $0, at: 0)) ?? 0 }
        let etag = String(decoding: bytes[..<count], as: UTF8.self)
        guard etag.hasPrefix("\""), HTTPField("If-Range", etag).isSendable else { return nil }
        return ResumePoint(offset: Int64(offset), etag: etag)
    }

    static func discard(_ target: String) {
        removeETag(of: target)
        unlink(part(of: target))
    }

    func append(_ bytes: UnsafeRawBufferPointer) throws(FetchError) {
        let (grown, overflow) = length.addingReportingOverflow(Int64(bytes.count))
        guard !overflow, grown <= limit else { throw .tooLarge(limit: limit) }
        try FetchError.onFiles { () throws(FileError) in try file.write(bytes, at: Int(length)) }
        length = grown
    }

    /// Makes the download durable and renames it to its target.
    func finish() throws(FetchError) {
        try FetchError.onFiles { () throws(FileError) in
            try file.sync()
            try DurableFile.rename(file.path, to: target)
        }
        Self.removeETag(of: target)
    }

    /// Keeps what a later download can continue and removes the rest.
    func abandon() {
        if !isResumable { Self.discard(target) }
    }

    private static func part(of target: String) -> String { target + ".part" }
    private static func note(of target: String) -> String { target + ".part.etag" }
    private static func removeETag(of target: String) { unlink(note(of: target)) }
}
