import Coordinator
import Federation
import HTTPServing
import HTTPTypes
import RankwiseWire

extension RankwiseAPI {
    /// Routes of updates and templates in parts (draft-ietf-httpbis-resumable-upload), on paths that are known in
    /// advance.
    func addUploadRoutes(to routes: inout Routes) {
        addUploadRoutes(
            to: &routes, at: "/v1/federations/{federation}/rounds/{round}/update/upload", for: .client,
            query: Self.claimed
        ) { request, client in
            UploadKey(federation: client.federation, round: try request.round(), client: client.name)
        } completion: { request, client, digest in
            .update(try Self.claim(request, of: client, digest: digest))
        }
        addUploadRoutes(to: &routes, at: "/v1/federations/{federation}/template/upload", for: .federationAdmin) {
            _, admin in
            UploadKey(federation: admin.federation, subject: .template)
        } completion: { _, _, digest in
            .template(digest)
        }
    }

    /// - Parameters:
    ///   - query: the query parameters of requests with parts.
    ///   - completion: reads from the last part what the whole upload becomes.
    private func addUploadRoutes<Caller>(
        to routes: inout Routes, at path: String, for callers: Callers<Caller>, query: DeclaredQuery = [],
        key: @escaping @Sendable (Request, Caller) throws -> UploadKey,
        completion: @escaping @Sendable (Request, Caller, ContentDigest?) throws -> UploadService.Completion
    ) {
        let services = services
        let api = self
        routes.on(
            .head, path, for: callers, early: .query,
            contract: RouteContract(answers: [.none("Upload-Offset says how much")], problems: Self.uploading),
            "How much of an upload in parts has come"
        ) { request, caller in
            let status = try await services.uploads.status(of: try key(request, caller))
            return Response(status: .noContent, headerFields: UploadFields.status(status))
        }
        routes.on(
            .patch, path, for: callers, query: query, takes: UploadFields.mediaType,
            contract: RouteContract(
                body: .bytes(type: UploadFields.mediaType),
                answers: [
                    .none("The part was taken"),
                    .json(.either(ReceiptBody.schema, TemplateBody.schema), "The upload is complete", status: 201),
                    .json(ReceiptBody.schema, "It was held already"),
                ], problems: Self.uploading.union([.digest, .adapterFile, .configuration])), "Takes a part of an upload"
        ) { request, caller in
            let part = try Self.part(request, of: key(request, caller)) { try completion(request, caller, $0) }
            do {
                return try await api.append(part, from: request)
            } catch ServiceError.upload(let error) {
                return api.refusal(error)
            }
        }
        routes.on(
            .delete, path, for: callers, early: .query,
            contract: RouteContract(answers: [.none("It is given up")], problems: Self.uploading),
            "Gives up an upload in parts"
        ) { request, caller in
            try await services.uploads.cancel(try key(request, caller))
            return Response(status: .noContent)
        }
        routes.on(
            .options, path, for: .anybody, query: .ignored,
            contract: RouteContract(answers: [.none("Allow and Accept-Patch say how")]),
            "Says that uploads come in parts here"
        ) { _, _ in
            Response(
                status: .noContent,
                headerFields: UploadFields.fields([
                    ("Allow", "DELETE, HEAD, OPTIONS, PATCH"), ("Accept-Patch", UploadFields.mediaType),
                ]))
        }
    }

    private static let uploading: Set<ProblemCode.Group> = [.client, .update, .upload, .template, .state, .store]

    private func append(
        _ part: UploadService.Part, from request: Request
    ) async throws -> Response {
        let ticket: UploadService.Ticket
        switch try await services.uploads.begin(part, stop: { request.body.stop() }) {
        case .held(let receipt): return try Self.complete(receipt)
        case .append(let admitted): ticket = admitted
        }
        let appended = await request.body.append(to: ticket.file.path, at: part.offset, upTo: ticket.byteLimit)
        switch appended.failure {
        case nil: break
        case .tooLong: throw await services.uploads.overflow(ticket)
        case let failure?:
            try await services.uploads.breakOff(ticket, fileLength: appended.fileLength)
            throw failure
        }
        guard let digest = ContentDigest(bytes: appended.sha256) else {
            try await services.uploads.breakOff(ticket, fileLength: appended.fileLength)
            throw ServiceError.internalFailure("a digest of \(appended.sha256.count.counted("byte"))")
        }
        do {
            switch try await services.uploads.end(ticket, fileLength: appended.fileLength, digest: digest) {
            case .partial(let status): return Response(status: .noContent, headerFields: UploadFields.status(status))
            case .complete(let receipt): return try Self.complete(receipt)
            }
        } catch let error as ServiceError where part.completion != nil && error.isOfTheWhole {
            // All bytes have arrived, so the client must not send them again because of this error.
            var response = refusal(Problem(error))
            response.headerFields.append(contentsOf: UploadFields.complete(true))
            return response
        }
    }

    private static func complete(_ receipt: UploadService.Receipt) throws -> Response {
        var response =
            switch receipt {
            case .update(let receipt): try Response.json(ReceiptBody(receipt), status: receipt.isNew ? .created : .ok)
            case .template(let receipt): try Response.json(TemplateBody(receipt), status: .created)
            }
        response.headerFields.append(contentsOf: UploadFields.complete(true))
        return response
    }

    private func refusal(_ error: UploadError) -> Response {
        var response = refusal(Problem(error))
        switch error {
        case .mismatchingOffset(let expected, _, let isComplete):
            response.headerFields.append(contentsOf: UploadFields.offset(expected, isComplete: isComplete))
        case .damaged(_, _, let offset):
            response.headerFields.append(contentsOf: UploadFields.offset(offset, isComplete: false))
        case .tooLong(let limit): response.headerFields.append(contentsOf: UploadFields.limit(limit))
        case .inconsistentLength, .tooManyBytes: break
        }
        return response
    }

    private static func part(
        _ request: Request, of key: UploadKey, completion: (ContentDigest?) throws -> UploadService.Completion
    ) throws -> UploadService.Part {
        guard let offset = UploadFields.integer("Upload-Offset", of: request) else {
            throw ArgumentError.missing(name: "Upload-Offset", expected: "where these bytes begin, a whole number")
        }
        guard let isLast = UploadFields.boolean("Upload-Complete", of: request) else {
            throw ArgumentError.missing(name: "Upload-Complete", expected: "?1 with the last bytes, ?0 before")
        }
        return UploadService.Part(
            key: key, offset: offset, length: UploadFields.integer("Upload-Length", of: request),
            contentLength: request.body.declaredLength, contentDigest: try request.digest("Content-Digest"),
            completion: isLast ? try completion(try request.digest("Repr-Digest")) : nil)
    }
}

extension ServiceError {
    /// Whether the error concerns the completed upload, and not its transfer or the store.
    fileprivate var isOfTheWhole: Bool {
        switch self {
        case .update, .template, .round, .digestMismatch: true
        default: false
        }
    }
}
