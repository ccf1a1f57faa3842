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
    private let file: OwnedDescriptor
    /// The number of bytes in the file.
    private(set) var length: Int64
    private var isResumable: Bool

    /// Opens the part of `target` to continue at `resume`, or from its start with the ETag of the answer.
    init(target: String, limit: Int64, continuing resume: ResumePoint) throws(FetchError) {
        self.target = target
        self.limit = limit
        file = try OwnedDescriptor(opening: Self.part(of: target), O_WRONLY)
        length = resume.offset
        isResumable = true
        try file.truncate(to: length)
    }

    init(target: String, limit: Int64, etag: String?) throws(FetchError) {
        self.target = target
        self.limit = limit
        // Removes the old ETag first: an ETag must never stand beside other bytes than its own.
        Self.removeETag(of: target)
        file = try OwnedDescriptor(opening: Self.part(of: target), O_WRONLY | O_CREAT | O_TRUNC)
        length = 0
        isResumable = false
        if let etag, etag.hasPrefix("\""), etag.utf8.count <= Self.longestETag {
            let note = try OwnedDescriptor(opening: Self.note(of: target), O_WRONLY | O_CREAT | O_TRUNC)
            try Array(etag.utf8).span.bytes.withUnsafeBytes { bytes throws(FetchError) in
                try note.write(bytes, at: 0)
            }
            isResumable = true
        }
    }

    /// The point where a download of `target` broke off, if it can be continued.
    static func resumePoint(of target: String) -> ResumePoint? {
        guard let file = try? OwnedDescriptor(opening: part(of: target), O_RDONLY), let offset = try? file.length,
            offset > 0, let note = try? OwnedDescriptor(opening: note(of: target), O_RDONLY)
        else { return nil }
        var bytes = [UInt8](repeating: 0, count: longestETag)
        let count = bytes.withUnsafeMutableBytes { (try? note.read(into: $0, at: 0)) ?? 0 }
        let etag = String(decoding: bytes[..<count], as: UTF8.self)
        guard etag.hasPrefix("\""), HTTPField("If-Range", etag).isSendable else { return nil }
        return ResumePoint(offset: offset, etag: etag)
    }

    static func discard(_ target: String) {
        removeETag(of: target)
        unlink(part(of: target))
    }

    func append(_ bytes: UnsafeRawBufferPointer) throws(FetchError) {
        let (grown, overflow) = length.addingReportingOverflow(Int64(bytes.count))
        guard !overflow, grown <= limit else { throw .tooLarge(limit: limit) }
        try file.write(bytes, at: length)
        length = grown
    }

    /// Makes the download durable and renames it to its target.
    func finish() throws(FetchError) {
        try file.synchronize()
        guard rename(Self.part(of: target), target) == 0 else { throw .file(path: target, errno: errno) }
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
