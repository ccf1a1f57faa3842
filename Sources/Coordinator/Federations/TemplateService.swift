import AdapterFormat
import Crypto
package import Federation
import Foundation
import Logging

/// Makes a federation from an adapter. It takes the adapter's file and its configuration in either order. The
/// federation stops being a draft once both are valid.
package struct TemplateService: Sendable {
    private let runtime: FederationRuntime
    private let blobs: any BlobStore
    private let templates: any TemplateStore
    private let initial: InitialAdapters
    private let logger: Logger
    /// The federations whose templates are being taken.
    private let locks = FederationLocks()
    private let validation = BlockingQueue(label: "templates", concurrent: true)

    init(
        runtime: FederationRuntime, blobs: any BlobStore, templates: any TemplateStore, initial: InitialAdapters,
        logger: Logger
    ) {
        self.runtime = runtime
        self.blobs = blobs
        self.templates = templates
        self.initial = initial
        self.logger = logger
    }

    /// The longest template: 64 GiB, the factors of a thousand adapters of a 7B model.
    package static let byteLimit = 64 << 30

    /// Permission to stream the body to a file.
    package struct Ticket: Sendable {
        let federation: FederationID
        package let spool: SpoolFile
        /// Whether the file must be on the disk before it is taken.
        package let mustBeDurable: Bool
        package let byteLimit = TemplateService.byteLimit
        /// Receives the body's bytes; nil where the body's length is not known.
        package let arrival: ArrivingUpdate?
    }

    /// What the server has of a template.
    package struct Receipt: Sendable, Hashable {
        package let digest: ContentDigest?
        package let byteCount: Int
        package let hasConfiguration: Bool
        package let state: FederationState
    }

    /// - Parameter byteCount: the body's length, where the caller states it.
    package func begin(_ federation: FederationID, byteCount: Int?) throws(ServiceError) -> Ticket {
        try requireDraft(federation)
        return Ticket(
            federation: federation, spool: blobs.stage(), mustBeDurable: blobs.publishesFilesThemselves,
            arrival: byteCount.map { ArrivingUpdate(byteCount: $0) })
    }

    /// Discards a body that did not arrive completely.
    package func abandon(_ ticket: Ticket) async { await blobs.discard(ticket.spool) }

    /// Takes the adapter of a durable file. The file becomes a blob or is deleted.
    package func finish(
        _ ticket: Ticket, digest: ContentDigest, expected: ContentDigest?, byteCount: Int
    ) async throws(ServiceError) -> Receipt {
        do throws(ServiceError) {
            if let expected, expected != digest { throw .digestMismatch(expected: expected, found: digest) }
            return try await take(
                ticket.spool, digest: digest, byteCount: byteCount, in: ticket.federation,
                numbersAreSound: ticket.arrival?.soundSquares != nil)
        } catch {
            await blobs.discard(ticket.spool)
            throw error
        }
    }

    /// Takes the adapter that a durable file holds. The caller deletes the file where it is not taken.
    func take(
        _ spool: SpoolFile, digest: ContentDigest, byteCount: Int, in federation: FederationID,
        numbersAreSound: Bool = false
    ) async throws(ServiceError) -> Receipt {
        let session = try requireDraft(federation)
        return try await locks.alone(federation) { () async throws(ServiceError) in
            let known = try await template(of: federation)
            let reading = try await read(
                spool.path, known.configuration, session.snapshot.machine.settings, numbersAreSound: numbersAreSound)
            try await store { () async throws(StoreError) in
                try await blobs.publish(spool, as: digest)
                do throws(StoreError) {
                    try await templates.keepTemplate(digest, byteCount: byteCount, of: federation)
                } catch {
                    await blobs.withdraw(digest, backTo: spool)
                    throw error
                }
            }
            try await store { () async throws(StoreError) in try await blobs.sweepBlobs() }
            return try await complete(
                session, StoredTemplate(digest: digest, byteCount: byteCount, configuration: known.configuration),
                reading)
        }
    }

    /// Takes the text of the adapter's `adapter_config.json`.
    package func configure(_ text: [UInt8], of federation: FederationID) async throws(ServiceError) -> Receipt {
        let session = try requireDraft(federation)
        return try await locks.alone(federation) { () async throws(ServiceError) in
            let known = try await template(of: federation)
            let text = String(decoding: text, as: UTF8.self)
            let lent = try await lend(known.digest)
            defer { withExtendedLifetime(lent) {} }
            let reading = try await read(lent?.path, text, session.snapshot.machine.settings)
            try await store { () async throws(StoreError) in
                try await templates.keepTemplateConfiguration(text, of: federation)
            }
            return try await complete(
                session,
                StoredTemplate(digest: known.digest, byteCount: known.byteCount, configuration: text), reading)
        }
    }

    /// Resumes a federation after a restart: both parts of its template may be there, or only one.
    func resume(_ session: FederationSession) async throws(ServiceError) {
        let known = try await template(of: session.id)
        guard session.snapshot.machine.state == .draft else {
            if known != StoredTemplate() { try await drop(session.id) }
            return
        }
        guard let digest = known.digest, known.configuration != nil else { return }
        do throws(ServiceError) {
            let lent = try await lend(digest)
            defer { withExtendedLifetime(lent) {} }
            let reading = try await read(lent?.path, known.configuration, session.snapshot.machine.settings)
            _ = try await complete(session, known, reading)
        } catch {
            logger.error(
                "a template cannot be taken up; send it again",
                metadata: ["federation": "\(session.id)", "reason": "\(error)"])
        }
    }

    /// The session of a federation that waits for its template.
    @discardableResult
    func requireDraft(_ federation: FederationID) throws(ServiceError) -> FederationSession {
        let session = try runtime.session(federation)
        let machine = session.snapshot.machine
        guard machine.state == .draft else { throw .notDraft(machine.state) }
        return session
    }

    /// What the server has of a template, or had when it was complete.
    func held(_ federation: FederationID) async throws(ServiceError) -> Receipt {
        let machine = try runtime.session(federation).snapshot.machine
        let known = try await template(of: federation)
        let template = machine.settings.adapter.template
        return Receipt(
            digest: known.digest ?? template?.digest, byteCount: max(known.byteCount, template?.byteCount ?? 0),
            hasConfiguration: known.configuration != nil || template?.isComplete == true, state: machine.state)
    }
}

extension TemplateService {
    /// Reads both parts into a template; nil while one is missing.
    private func read(
        _ path: String?, _ configuration: String?, _ settings: FederationSettings, numbersAreSound: Bool = true
    ) async throws(ServiceError) -> AdapterTemplate? {
        try await validation.run { () throws(ServiceError) in
            do throws(UpdateRefusal) {
                let config = try configuration.map { text throws(UpdateRefusal) in try AdapterConfig(sent: text) }
                guard let path else { return nil }
                let file = try AdapterTemplate.open(path, numbersAreSound: numbersAreSound)
                return try config.map { config throws(UpdateRefusal) in
                    try AdapterTemplate(file, config, for: settings)
                }
            } catch {
                throw .template(error)
            }
        }
    }

    /// Stores version 0 and leaves the draft state, once both parts are there.
    private func complete(
        _ session: FederationSession, _ known: StoredTemplate, _ reading: AdapterTemplate?
    ) async throws(ServiceError) -> Receipt {
        if let reading {
            var settings = reading.settings
            settings.adapter.template?.digest = known.digest
            settings.adapter.template?.byteCount = known.byteCount
            try await initial.take(reading.file, of: settings, as: reading.plan)
            try await session.reply(to: .templated(settings))
            try await drop(session.id)
        }
        return Receipt(
            digest: known.digest, byteCount: known.byteCount, hasConfiguration: known.configuration != nil,
            state: session.snapshot.machine.state)
    }

    private func template(of federation: FederationID) async throws(ServiceError) -> StoredTemplate {
        do throws(StoreError) { return try await templates.template(of: federation) } catch {
            throw .store(error)
        }
    }

    private func drop(_ federation: FederationID) async throws(ServiceError) {
        try await store { () async throws(StoreError) in try await templates.dropTemplate(of: federation) }
        try await store { () async throws(StoreError) in try await blobs.sweepBlobs() }
    }

    /// The template's file; nil until it has arrived.
    private func lend(_ digest: ContentDigest?) async throws(ServiceError) -> LentFile? {
        guard let digest else { return nil }
        let lent: LentFile?
        do throws(StoreError) {
            lent = try await validation.run { () throws(StoreError) in try blobs.lend(digest) }
        } catch {
            throw .store(error)
        }
        guard let lent else { throw .internalFailure("the template's blob \(digest) is gone") }
        return lent
    }

    private func store(_ work: () async throws(StoreError) -> Void) async throws(ServiceError) {
        do throws(StoreError) { try await work() } catch { throw .store(error) }
    }
}

extension AdapterConfig {
    /// Parses a configuration that a caller sent; throws with the key at fault.
    init(sent text: String) throws(UpdateRefusal) {
        do throws(AdapterConfigError) {
            self = try AdapterConfig(json: Array(text.utf8))
        } catch {
            throw UpdateRefusal(code: error.key.map { "config.\($0)" } ?? "config.format", detail: "\(error)")
        }
    }
}
