package import HTTPFetching
package import RankwiseWire
package import ServerCalls

/// Sends updates to the server, whole or in parts (draft-ietf-httpbis-resumable-upload).
extension FederationEndpoint {
    /// How much of an upload the server holds.
    package enum UploadState: Sendable, Hashable {
        /// The server has no upload in parts here; a plain upload is accepted or refused with a reason.
        case none
        case partial(Int64)
        /// The server has an update of this client.
        case complete
    }

    package enum UploadAnswer: Sendable, Hashable {
        case receipt(ReceiptBody)
        /// The server supports no upload in parts.
        case unsupported
        /// The server's bytes are not the first bytes of this update.
        case ofAnother(Problem)
    }

    /// The interop version of the draft that this client speaks.
    private static let draft = HTTPField("Upload-Draft-Interop-Version", "8")

    /// Sends an update in one request.
    package func send(
        _ update: OutgoingUpdate, progress: (@Sendable (FetchProgress) -> Void)? = nil
    ) async throws(CallError) -> ReceiptBody {
        var request = request(
            .put, "rounds/\(update.round)/update?\(update.query)", body: .file(path: update.path),
            type: "application/octet-stream")
        request.fields.append(HTTPField("Content-Digest", update.digestField))
        request.progress = progress
        let response = try await connection.call(request, sending: update.length)
        return try receipt(in: response, for: update, to: request)
    }

    /// The receipt for exactly the sent bytes; a receipt for others is treated as no answer.
    private func receipt(
        in response: FetchResponse, for update: OutgoingUpdate, to request: FetchRequest
    ) throws(CallError) -> ReceiptBody {
        let receipt = try connection.decoded(ReceiptBody.self, response, to: request)
        guard update.isAcknowledged(by: receipt) else {
            throw .foreign(ForeignAnswer(response, to: request, reason: "its receipt is for other bytes"))
        }
        return receipt
    }

    /// The receipt for this client's update in a round, if the server has one.
    package func receipt(round: Int) async throws(CallError) -> ReceiptBody? {
        do throws(CallError) {
            return try await connection.read(ReceiptBody.self, request(.get, "rounds/\(round)/update"))
        } catch .refused {
            return nil
        }
    }

    package func uploadState(round: Int) async throws(CallError) -> UploadState {
        var request = request(.head, "rounds/\(round)/update/upload")
        request.fields.append(Self.draft)
        switch try await supported(request) {
        case nil: return .none
        case .problem(let problem, _) where [404, 405, 409, 501].contains(problem.status): return .none
        case .problem(let problem, let delay): throw CallError(problem, retryAfter: delay)
        case .success(let response):
            if response.fields["Upload-Complete"] == "?1" { return .complete }
            guard let offset = response.fields["Upload-Offset"].flatMap({ Int64($0) }), offset >= 0 else {
                throw .foreign(ForeignAnswer(response, to: request, reason: "it names no Upload-Offset"))
            }
            return .partial(offset)
        }
    }

    /// The reply, or nil where something on the way refuses this method.
    private func supported(_ request: FetchRequest, sending length: Int64? = nil) async throws(CallError)
        -> ServerConnection.Reply?
    {
        do throws(CallError) {
            return try await connection.reply(to: request, sending: length)
        } catch {
            if case .foreign(let answer) = error, [405, 501].contains(answer.status) { return nil }
            throw error
        }
    }

    /// Sends the rest of an update from `offset` on.
    ///
    /// - Parameter isNew: whether the server cannot have any of it yet.
    package func finish(
        _ update: OutgoingUpdate, from offset: Int64, isNew: Bool, progress: (@Sendable (FetchProgress) -> Void)? = nil
    ) async throws(CallError) -> UploadAnswer {
        var request = request(
            .patch, "rounds/\(update.round)/update/upload?\(update.query)",
            body: .rest(path: update.path, from: offset), type: "application/partial-upload")
        request.fields += [
            Self.draft, HTTPField("Upload-Offset", "\(offset)"), HTTPField("Upload-Complete", "?1"),
            HTTPField("Upload-Length", "\(update.length)"), HTTPField("Repr-Digest", update.digestField),
            // If the server holds other bytes by now, also after curl's own second try, no bytes are wasted.
            HTTPField("Expect", "100-continue"),
        ]
        if let progress {
            request.progress = { counts in
                progress(
                    FetchProgress(
                        sent: offset + counts.sent, toSend: update.length, received: counts.received,
                        toReceive: counts.toReceive))
            }
        }
        let problem: Problem
        let delay: Duration?
        switch try await supported(request, sending: update.length - offset) {
        case nil: return .unsupported
        case .success(let response): return .receipt(try receipt(in: response, for: update, to: request))
        case .problem(let found, let asked): (problem, delay) = (found, asked)
        }
        switch (problem.status, problem.code) {
        case (404, _), (405, _), (501, _): return .unsupported
        case (400, "update.digest"), (400, "upload.length"): return .ofAnother(problem)
        case (409, "upload.offset"):
            if isNew { return .ofAnother(problem) }
            throw .unavailable(problem, retryAfter: nil)
        default: throw CallError(problem, retryAfter: delay)
        }
    }

    /// Makes the server delete an unfinished upload.
    package func cancelUpload(round: Int) async throws(CallError) {
        try await connection.perform(request(.delete, "rounds/\(round)/update/upload"))
    }
}
