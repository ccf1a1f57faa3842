import CoreMetrics
import Crypto
package import Federation
import Foundation
import Logging

/// Takes a client's update or a template in parts, each of which may be interrupted, and passes it on once it is
/// complete.
package struct UploadService: Sendable {
    let runtime: FederationRuntime
    let partials: any UploadStore
    let blobs: any BlobStore
    let updates: UpdateService
    let templates: TemplateService
    let limits: Limits
    let clock: any WallClock
    private let metrics: CoordinatorMetrics
    private let logger: Logger
    let table = UploadTable()
    private let idleSweep = Interval(seconds: 60)
    private let hashing = BlockingQueue(label: "uploads", concurrent: true)

    init(
        runtime: FederationRuntime, partials: any UploadStore, blobs: any BlobStore, updates: UpdateService,
        templates: TemplateService, limits: Limits, clock: any WallClock, metrics: CoordinatorMetrics, logger: Logger
    ) {
        self.runtime = runtime
        self.partials = partials
        self.blobs = blobs
        self.updates = updates
        self.templates = templates
        self.limits = limits
        self.clock = clock
        self.metrics = metrics
        self.logger = logger
    }

    /// Limits for uploads that have not arrived completely.
    package struct Limits: Sendable, Hashable {
        /// Bytes of all unfinished uploads of a federation together.
        package var bytesInFlight = 16 << 30
        /// How long an upload is kept after its last byte.
        package var lifetimeSeconds = 86_400.0

        package init() {}
    }

    /// The progress of an upload.
    package struct Status: Sendable, Hashable {
        package let offset: Int
        /// The length of the whole upload, once the client has stated it.
        package let length: Int?
        /// Whether the server holds the complete upload.
        package let isComplete: Bool
        /// The limit on the length of such an upload.
        package let byteLimit: Int
        package let secondsLeft: Int
    }

    /// The client's statements about the bytes that it is about to send.
    package struct Part: Sendable {
        package let key: UploadKey
        package let offset: Int
        /// The length of the whole upload, where the client states it.
        package let length: Int?
        /// The length of this part, where the client states it.
        package let contentLength: Int?
        /// The digest of this part, where the client states it.
        package let contentDigest: ContentDigest?
        /// What the upload becomes after this part; set only for the last part.
        package let completion: Completion?

        package init(
            key: UploadKey, offset: Int, length: Int?, contentLength: Int?, contentDigest: ContentDigest?,
            completion: Completion?
        ) {
            self.key = key
            self.offset = offset
            self.length = length
            self.contentLength = contentLength
            self.contentDigest = contentDigest
            self.completion = completion
        }
    }

    /// What a complete upload becomes.
    package enum Completion: Sendable {
        /// The client's statements about its update.
        case update(UpdateService.Claim)
        /// The digest of the whole template, where the client sent it.
        case template(ContentDigest?)
    }

    /// The receipt for a complete upload.
    package enum Receipt: Sendable {
        case update(UpdateService.Receipt)
        case template(TemplateService.Receipt)
    }

    /// Permission to append to the upload's file. Its holder must call `end` or `breakOff`.
    package struct Ticket: Sendable {
        let part: Part
        package let file: SpoolFile
        /// The longest length that the file may reach.
        package let byteLimit: Int
        let length: Int?
        let admission: UpdateService.Admission?
    }

    /// The answer to `begin`.
    package enum Beginning: Sendable {
        case append(Ticket)
        /// The server already holds the complete upload, and no bytes were sent.
        case held(Receipt)
    }

    /// The answer to `end`.
    package enum Ending: Sendable {
        /// More bytes must come.
        case partial(Status)
        case complete(Receipt)
    }

    /// The progress of the upload; ends a part that is still arriving.
    package func status(of key: UploadKey) async throws(ServiceError) -> Status {
        let session = try session(of: key)
        let limit = try byteLimit(of: key, in: session)
        await table.hold(key) {}
        defer { table.letGo(key) }
        try await refresh(key)
        if let held = try await held(key, in: session) {
            return Status(
                offset: held.byteCount, length: held.byteCount, isComplete: true, byteLimit: limit, secondsLeft: 0)
        }
        try await requireOpen(key, in: session)
        return status(of: key, byteLimit: limit)
    }

    /// Checks the part before any of its bytes is read; throws where it may not come.
    ///
    /// - Parameter stop: ends the arrival of these bytes. It is called when the client makes another call for the
    ///   upload.
    package func begin(_ part: Part, stop: @escaping @Sendable () -> Void) async throws(ServiceError) -> Beginning {
        let session = try session(of: part.key)
        await table.hold(part.key, stop: stop)
        do throws(ServiceError) {
            try await refresh(part.key)
            let beginning = try await admit(part, in: session)
            if case .held = beginning { table.letGo(part.key) }
            return beginning
        } catch {
            table.letGo(part.key)
            throw error
        }
    }

    /// Takes a part that arrived completely.
    ///
    /// - Parameters:
    ///   - fileLength: the file's length, all of it durable.
    ///   - digest: the digest of the part.
    package func end(
        _ ticket: Ticket, fileLength: Int, digest: ContentDigest
    ) async throws(ServiceError) -> Ending {
        let part = ticket.part
        defer { letGo(ticket) }
        if let expected = part.contentDigest, expected != digest {
            // If this fails now, the next part begins with it. The file's name states the verified length.
            try? await partials.truncate(ticket.file, to: part.offset)
            throw .upload(.damaged(expected: expected, found: digest, offset: part.offset))
        }
        let file = try await vouch(for: ticket, upTo: fileLength)
        guard let completion = part.completion else {
            let session = try session(of: part.key)
            try await requireOpen(part.key, in: session)
            return .partial(status(of: part.key, byteLimit: try byteLimit(of: part.key, in: session)))
        }
        if let length = ticket.length, length != fileLength {
            throw .upload(.inconsistentLength(known: length, found: fileLength))
        }
        return .complete(try await complete(ticket, file, completion, byteCount: fileLength, partDigest: digest))
    }

    /// Keeps the arrived bytes of an interrupted part; throws where the round no longer needs them.
    package func breakOff(_ ticket: Ticket, fileLength: Int) async throws(ServiceError) {
        let key = ticket.part.key
        defer { letGo(ticket) }
        if fileLength > ticket.part.offset {
            _ = try await vouch(for: ticket, upTo: fileLength)
        } else {
            try await takeBack(ticket)
        }
        try await requireOpen(key, in: try session(of: key))
    }

    /// Gives up an upload that exceeds its limit.
    package func overflow(_ ticket: Ticket) async -> ServiceError {
        defer { letGo(ticket) }
        await forget(ticket.part.key)
        guard let length = ticket.length else { return .upload(.tooLong(limit: ticket.byteLimit)) }
        return .upload(.inconsistentLength(known: length, found: length + 1))
    }

    /// Gives an upload up at its client's request.
    package func cancel(_ key: UploadKey) async throws(ServiceError) {
        _ = try session(of: key)
        await table.hold(key) {}
        await forget(key)
        table.letGo(key)
    }
}

extension UploadService {
    /// Resumes uploads of an earlier run of the server.
    func resume() async throws(StoreError) {
        for upload in try await partials.partialUploads() {
            table[upload.key] = UploadTable.Entry(upload)
        }
        await sweep()
    }

    /// Drops uploads that have expired or that no round waits for.
    func sweep() async {
        let now = clock.now()
        if idleSweep.isDue(at: now) {
            do throws(StoreError) { try await partials.endUploads(idleFor: limits.lifetimeSeconds) } catch {
                logger.warning("idle uploads stay for a while", metadata: ["reason": "\(error)"])
            }
        }
        for key in table.keys {
            guard let entry = table[key] else { continue }
            let isExpired = now.seconds(since: entry.changedAt) >= limits.lifetimeSeconds
            let objection = objection(to: key)
            guard isExpired || objection != nil else { continue }
            // A part for a stored update may be a repetition; its end shows whether it is the same.
            let isAnswered = if case .round(.updateExists) = objection { true } else { false }
            guard table.holdIfFree(key, elseStop: !isAnswered) else { continue }
            await forget(key)
            table.letGo(key)
        }
    }

    private func status(of key: UploadKey, byteLimit: Int) -> Status {
        let entry = table[key]
        let age = entry.map { clock.now().seconds(since: $0.changedAt) } ?? 0
        return Status(
            offset: entry?.offset ?? 0, length: entry?.length, isComplete: false, byteLimit: byteLimit,
            secondsLeft: max(0, Int(clamping: (limits.lifetimeSeconds - age).rounded(.down))))
    }

    private func letGo(_ ticket: Ticket) {
        updates.release(ticket.admission)
        table.letGo(ticket.part.key)
    }

    /// Drops an upload that the caller holds.
    func forget(_ key: UploadKey) async {
        guard let entry = await end(key) else { return }
        await blobs.discard(entry.file)
    }

    /// Ends the record of an upload whose file has a new owner or is about to be deleted.
    @discardableResult
    func end(_ key: UploadKey) async -> UploadTable.Entry? {
        guard let entry = table[key] else { return nil }
        table[key] = nil
        do throws(StoreError) { try await partials.endUpload(key) } catch {
            logger.warning("an upload's record stays for a while", metadata: ["reason": "\(error)"])
        }
        return entry
    }

    /// Learns what other servers have taken of an upload that the caller holds.
    private func refresh(_ key: UploadKey) async throws(ServiceError) {
        let known = table[key].map { entry in
            PartialUpload(
                key: key, file: entry.file, length: entry.length, offset: entry.offset, sureLength: entry.sureLength,
                changedAt: entry.changedAt)
        }
        let stored: PartialUpload?
        do throws(StoreError) { stored = try await partials.refreshed(known, of: key) } catch { throw .store(error) }
        guard stored != known else { return }
        if let known, known.file != stored?.file { await blobs.discard(known.file) }
        table[key] = stored.map { UploadTable.Entry($0) }
    }
}

extension UploadService {
    private func admit(_ part: Part, in session: FederationSession) async throws(ServiceError) -> Beginning {
        let key = part.key
        let held = try await held(key, in: session)
        if let held {
            await forget(key)
            if let completion = part.completion, part.offset == held.byteCount, part.contentLength == 0 {
                if case .update(let claim) = completion, case .update(let held) = held,
                    claim.samples != held.update.samples
                {
                    throw .round(.updateExists(round: claim.round))
                }
                return .held(held)
            }
            // It may be sent again from the start, as by PUT. Its end shows whether it is the same.
            guard part.offset == 0 else {
                throw .upload(
                    .mismatchingOffset(expected: held.byteCount, found: part.offset, isComplete: true))
            }
            if case .template = held { try await requireOpen(key, in: session) }
        } else {
            try await requireOpen(key, in: session)
        }
        let offset = table[key]?.offset ?? 0
        guard part.offset == offset else {
            throw .upload(.mismatchingOffset(expected: offset, found: part.offset, isComplete: false))
        }
        let limit = try byteLimit(of: key, in: session)
        let length = try length(of: part, limit: limit)
        let admission: UpdateService.Admission? =
            if case .update(let claim) = part.completion {
                try await updates.admit(claim, byteCount: length, holding: held?.update, in: session)
            } else {
                nil
            }
        do throws(ServiceError) {
            let file = try await file(for: part, length: length, limit: limit)
            if part.offset > 0 { metrics.resumedUploads.increment() }
            return .append(
                Ticket(part: part, file: file, byteLimit: length ?? limit, length: length, admission: admission))
        } catch {
            updates.release(admission)
            throw error
        }
    }

    /// The length of the whole upload, where it is known. Throws where lengths contradict each other or are too large.
    private func length(of part: Part, limit: Int) throws(ServiceError) -> Int? {
        var known = table[part.key]?.length
        let end = part.contentLength.map { part.offset + $0 }
        for stated in [part.length, part.completion == nil ? nil : end] {
            guard let stated else { continue }
            guard known ?? stated == stated else {
                throw .upload(.inconsistentLength(known: known ?? stated, found: stated))
            }
            known = stated
        }
        if let known, let end, end > known { throw .upload(.inconsistentLength(known: known, found: end)) }
        if max(known ?? 0, end ?? 0) > limit { throw .upload(.tooLong(limit: limit)) }
        return known
    }
}

extension UploadService {
    /// The digest of a file of the store.
    func digest(of file: SpoolFile) async throws(ServiceError) -> ContentDigest {
        try await hashing.run { () throws(ServiceError) in
            guard let handle = FileHandle(forReadingAtPath: file.path) else {
                throw .internalFailure("an upload's file is gone")
            }
            var hasher = SHA256()
            do {
                while let piece = try handle.read(upToCount: 1 << 20), !piece.isEmpty { hasher.update(data: piece) }
            } catch {
                throw .internalFailure("an upload's file cannot be read: \(error)")
            }
            guard let digest = ContentDigest(bytes: Array(hasher.finalize())) else {
                throw .internalFailure("SHA-256 has 32 bytes")
            }
            return digest
        }
    }
}
