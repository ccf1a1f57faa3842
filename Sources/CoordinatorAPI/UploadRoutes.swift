import Coordinator
import Federation
import HTTPServing
import HTTPTypes
import RankwiseWire

extension RankwiseAPI {
    /// Updates and templates in parts: draft-ietf-httpbis-resumable-upload, on paths that are known beforehand.
    func addUploadRoutes(to routes: inout Routes) {
        addUploadRoutes(to: &routes, at: "/v1/federations/{federation}/rounds/{round}/update/upload") {
            request, access in
            let federation = try request.federation()
            let client = try request.principal(access).requireClient(of: federation)
            return UploadKey(federation: federation, round: try request.round(), client: client)
        }
        addUploadRoutes(to: &routes, at: "/v1/federations/{federation}/template/upload") { request, access in
            let federation = try request.federation()
            try request.principal(access).requireAdmin()
            return UploadKey(federation: federation, subject: .template)
        }
    }

    private func addUploadRoutes(
        to routes: inout Routes, at path: String,
        key: @escaping @Sendable (Request, Access) throws -> UploadKey
    ) {
        let services = services
        routes.on(.head, path) { request in
            try request.expect()
            let status = try await services.uploads.status(of: try key(request, services.access))
            return Response(status: .noContent, headerFields: UploadFields.status(status))
        }
        routes.on(.patch, path) { request in
            let part = try Self.part(request, of: key(request, services.access), services)
            do {
                return try await Self.append(part, from: request, services)
            } catch ServiceError.upload(let error) {
                return Self.refusal(error)
            }
        }
        routes.on(.delete, path) { request in
            try request.expect()
            try await services.uploads.cancel(try key(request, services.access))
            return Response(status: .noContent)
        }
        routes.on(.options, path) { _ in
            Response(
                status: .noContent,
                headerFields: UploadFields.fields([
                    ("Allow", "DELETE, HEAD, OPTIONS, PATCH"), ("Accept-Patch", UploadFields.mediaType),
                ]))
        }
    }

    private static func append(
        _ part: UploadService.Part, from request: Request, _ services: Services
    ) async throws -> Response {
        let ticket: UploadService.Ticket
        switch try await services.uploads.begin(part, stop: { request.body.stop() }) {
        case .held(let receipt): return try complete(receipt)
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
            case .complete(let receipt): return try complete(receipt)
            }
        } catch let error as ServiceError where part.completion != nil && error.isOfTheWhole {
            // All bytes came: the client is not to send them again for this.
            var response = Response.problem(Problem(error))
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

    private static func refusal(_ error: UploadError) -> Response {
        var response = Response.problem(Problem(error))
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
        _ request: Request, of key: UploadKey, _ services: Services
    ) throws -> UploadService.Part {
        let type = request.headerFields[.contentType]?.prefix { $0 != ";" && $0 != " " }.lowercased()
        guard type == UploadFields.mediaType else {
            throw UnsupportedType(found: type ?? "absent", expected: UploadFields.mediaType)
        }
        guard let offset = UploadFields.integer("Upload-Offset", of: request) else {
            throw ArgumentError.missing(name: "Upload-Offset", expected: "where these bytes begin, a whole number")
        }
        guard let isLast = UploadFields.boolean("Upload-Complete", of: request) else {
            throw ArgumentError.missing(name: "Upload-Complete", expected: "?1 with the last bytes, ?0 before")
        }
        let digest = isLast ? try request.digest("Repr-Digest") : nil
        let completion: UploadService.Completion?
        switch key.subject {
        case .update:
            if !isLast { try request.expect(query: "samples", "loss", "accuracy") }
            completion = isLast ? .update(try claim(request, services, digest: digest)) : nil
        case .template:
            try request.expect()
            completion = isLast ? .template(digest) : nil
        }
        return UploadService.Part(
            key: key, offset: offset, length: UploadFields.integer("Upload-Length", of: request),
            contentLength: request.body.declaredLength, contentDigest: try request.digest("Content-Digest"),
            completion: completion)
    }
}

extension ServiceError {
    /// Whether it concerns an upload that came whole, rather than its way here or the store.
    fileprivate var isOfTheWhole: Bool {
        switch self {
        case .update, .template, .round, .digestMismatch: true
        default: false
        }
    }
}
