package import HTTPFetching
package import RankwiseWire

/// Updates on their way to the server, whole or in parts (draft-ietf-httpbis-resumable-upload).
extension FederationEndpoint {
    /// How much of an upload the server holds.
    package enum UploadState: Sendable, Hashable {
        /// The server takes no upload in parts here; a plain one tells why, or is taken.
        case none
        case partial(Int64)
        /// It holds an update of this client.
        case complete
    }

    package enum UploadAnswer: Sendable, Hashable {
        case receipt(ReceiptBody)
        /// The server takes no upload in parts.
        case unsupported
        /// What the server holds are not the first bytes of this update.
        case ofAnother(Problem)
    }

    /// The interop version of the draft that this client speaks.
    private static let draft = HTTPField("Upload-Draft-Interop-Version", "8")

    /// Sends an update in one go.
    package func send(
        _ update: OutgoingUpdate, progress: (@Sendable (FetchProgress) -> Void)? = nil
    ) async throws(CallError) -> ReceiptBody {
        var request = request(
            .put, "rounds/\(update.round)/update?\(update.query)", body: .file(path: update.path),
            type: "application/octet-stream")
        request.fields.append(HTTPField("Content-Digest", update.digestField))
        request.progress = progress
        return try await read(ReceiptBody.self, request)
    }

    /// What the server acknowledged of this client's in a round, if anything.
    package func receipt(round: Int) async throws(CallError) -> ReceiptBody? {
        do throws(CallError) {
            return try await read(ReceiptBody.self, request(.get, "rounds/\(round)/update"))
        } catch .refused {
            return nil
        }
    }

    package func uploadState(round: Int) async throws(CallError) -> UploadState {
        var request = request(.head, "rounds/\(round)/update/upload")
        request.fields.append(Self.draft)
        let response = try await answer(request)
        switch response.status {
        // To a HEAD nobody says why.
        case 404, 405, 409, 501: return .none
        case 200...299:
            if response.fields["Upload-Complete"] == "?1" { return .complete }
            guard let offset = response.fields["Upload-Offset"].flatMap({ Int64($0) }), offset >= 0 else {
                throw .unreadable(response, "it names no Upload-Offset")
            }
            return .partial(offset)
        default: throw CallError(response)
        }
    }

    /// Sends all of an update from `offset` on.
    ///
    /// - Parameter isNew: whether nothing of it can be on the server yet.
    package func finish(
        _ update: OutgoingUpdate, from offset: Int64, isNew: Bool, progress: (@Sendable (FetchProgress) -> Void)? = nil
    ) async throws(CallError) -> UploadAnswer {
        var request = request(
            .patch, "rounds/\(update.round)/update/upload?\(update.query)",
            body: .rest(path: update.path, from: offset), type: "application/partial-upload")
        request.fields += [
            Self.draft, HTTPField("Upload-Offset", "\(offset)"), HTTPField("Upload-Complete", "?1"),
            HTTPField("Upload-Length", "\(update.length)"), HTTPField("Repr-Digest", update.digestField),
            // Where the server holds something else by now, curl's own second try included, no byte is wasted.
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
        let response = try await answer(request)
        let problem = Problem(response)
        switch response.status {
        case 200, 201: return .receipt(try decoded(ReceiptBody.self, response))
        case 404, 405, 501: return .unsupported
        case 400 where problem.code == "update.digest" || problem.code == "upload.length": return .ofAnother(problem)
        case 409 where problem.code == "upload.offset":
            if isNew { return .ofAnother(problem) }
            throw .unavailable(problem, retryAfter: nil)
        default: throw CallError(response)
        }
    }

    /// Has the server forget what it holds of an upload.
    package func cancelUpload(round: Int) async throws(CallError) {
        _ = try await call(request(.delete, "rounds/\(round)/update/upload"))
    }
}
