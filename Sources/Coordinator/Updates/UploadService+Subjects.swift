import Federation
import Foundation

/// The differences between uploads of updates and of templates.
extension UploadService {
    /// The session of a federation that may wait for the upload, after the client's call is noted.
    func session(of key: UploadKey) throws(ServiceError) -> FederationSession {
        switch key.subject {
        case .update(_, let client):
            let session = try runtime.activeSession(of: key.federation, for: client)
            session.touch(client)
            return session
        case .template: return try runtime.session(key.federation)
        }
    }

    /// The length of the longest valid upload.
    func byteLimit(of key: UploadKey, in session: FederationSession) throws(ServiceError) -> Int {
        switch key.subject {
        case .update(let round, let client): try session.updateByteLimit(round: round, of: client)
        case .template: TemplateService.byteLimit
        }
    }

    /// Why the upload is no longer needed; nil where it is.
    func objection(to key: UploadKey) -> ServiceError? {
        do throws(ServiceError) {
            switch key.subject {
            case .update(_, let client):
                return objection(to: key, in: try runtime.activeSession(of: key.federation, for: client))
            case .template: return objection(to: key, in: try runtime.session(key.federation))
            }
        } catch .setAside {
            // Another version may be able to run it.
            return nil
        } catch {
            return error
        }
    }

    private func objection(to key: UploadKey, in session: FederationSession) -> ServiceError? {
        let machine = session.snapshot.machine
        switch key.subject {
        case .update(let round, let client): return machine.objection(to: client, round: round).map { .round($0) }
        case .template: return machine.state == .draft ? nil : .notDraft(machine.state)
        }
    }

    func requireOpen(_ key: UploadKey, in session: FederationSession) async throws(ServiceError) {
        guard let objection = objection(to: key, in: session) else { return }
        await forget(key)
        throw objection
    }

    /// The receipt of a complete upload; nil where there is none. An objection of an old copy does not count: another
    /// server may have opened the round or taken the update since.
    func held(_ key: UploadKey, in session: FederationSession) async throws(ServiceError) -> Receipt? {
        if let known = try await held(key) { return known }
        guard objection(to: key, in: session) != nil else { return nil }
        try await session.refreshed()
        return try await held(key)
    }

    private func held(_ key: UploadKey) async throws(ServiceError) -> Receipt? {
        switch key.subject {
        case .update(let round, let client):
            do throws(ServiceError) {
                return .update(
                    try await updates.receipt(for: client, round: round, in: key.federation))
            } catch .noUpdate, .unknownRound {
                return nil
            }
        case .template:
            // An upload under way will replace an earlier template.
            guard table[key] == nil else { return nil }
            let held = try await templates.held(key.federation)
            return held.digest == nil ? nil : .template(held)
        }
    }

    private func gather(_ key: UploadKey, into file: SpoolFile) async throws(ServiceError) {
        do throws(StoreError) { try await partials.gather(key, into: file) } catch { throw .store(error) }
    }

    /// Passes the file on as an update. If the store fails, the file stays and can be completed again.
    func complete(
        _ ticket: Ticket, _ file: SpoolFile, _ completion: Completion, byteCount: Int, partDigest: ContentDigest
    ) async throws(ServiceError) -> Receipt {
        let key = ticket.part.key
        do throws(ServiceError) {
            if ticket.part.offset > 0 { try await gather(key, into: file) }
            let digest = ticket.part.offset == 0 ? partDigest : try await digest(of: file)
            switch completion {
            case .update(let claim):
                guard let admission = ticket.admission else { throw .internalFailure("an update was not admitted") }
                let receipt = try await updates.take(
                    .init(claim: claim, spool: file, byteLimit: ticket.byteLimit, admission: admission),
                    digest: digest, byteCount: byteCount)
                if receipt.isNew { await end(key) } else { await forget(key) }
                return .update(receipt)
            case .template(let expected):
                if let expected, expected != digest { throw .digestMismatch(expected: expected, found: digest) }
                let receipt = try await templates.take(
                    file, digest: digest, byteCount: byteCount, in: key.federation)
                await end(key)
                return .template(receipt)
            }
        } catch {
            switch error {
            case .store, .internalFailure:
                // The store may have moved the file before it failed.
                if !FileManager.default.fileExists(atPath: file.path) { table[ticket.part.key] = nil }
            default: await forget(ticket.part.key)
            }
            throw error
        }
    }
}

extension UploadService.Receipt {
    var update: UpdateService.Receipt? { if case .update(let receipt) = self { receipt } else { nil } }

    /// The byte count of the held update or template.
    var byteCount: Int {
        switch self {
        case .update(let receipt): receipt.update.byteCount
        case .template(let receipt): receipt.byteCount
        }
    }
}
