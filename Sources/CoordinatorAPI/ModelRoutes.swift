import Coordinator
import Federation
import HTTPServing
import HTTPTypes
import RankwiseWire

extension RankwiseAPI {
    /// Routes of merges and whole models.
    func addModelRoutes(to routes: inout Routes) {
        let services = services
        let base = "/v1/federations/{federation}"
        routes.on(
            .get, base + "/rounds/{round}/merge", for: .reader,
            query: [
                .init("since", .integer, "the sum of the rounds after this one"),
                .init("dtype", .text, "element type, such as F32 or BF16", oneOf: ["F32", "F16", "BF16"]),
            ],
            contract: RouteContract(
                answers: .file("application/vnd.safetensors"), problems: [.rendering, .file, .round, .store]),
            "What rounds add to the base"
        ) { request, reader in
            let round = try request.round()
            let since = try request.integer("since", in: 0...Int.max)
            return try await Response.adapter(for: request) {
                try await services.models.merge(
                    round: round, since: since, elementType: request.query["dtype"], of: reader.federation,
                    for: reader.rendering(request))
            }
        }
        for path in [base + "/model", base + "/rounds/{round}/model"] {
            routes.on(
                .get, path, for: .reader,
                query: DeclaredQuery(
                    [
                        .init("rank", .integer, "cut to this rank", in: 1...Int.max),
                        .init("dtype", .text, "element type, such as F32 or BF16", oneOf: ["F32", "F16", "BF16"]),
                    ], bestRoundOf: path),
                contract: RouteContract(
                    answers: .file("application/vnd.safetensors"),
                    problems: [.rendering, .file, .round, .evaluation, .store]),
                "Merges and adapter as one adapter"
            ) { request, reader in
                let round = try askedRound(by: request, of: reader.federation)
                let rank = try request.integer("rank", in: 1...Int.max)
                return try await Response.adapter(for: request) {
                    try await services.models.file(
                        round: round, rank: rank, elementType: request.query["dtype"], of: reader.federation,
                        for: reader.rendering(request))
                }
            }
            routes.on(
                .get, path + "/adapter_config.json", for: .reader,
                query: DeclaredQuery(
                    [.init("rank", .integer, "cut to this rank", in: 1...Int.max)], bestRoundOf: path),
                contract: RouteContract(
                    answers: [.json(.freeObject, "PEFT's configuration")],
                    problems: [.rendering, .round, .evaluation, .store]),
                "The configuration of that adapter"
            ) { request, reader in
                let round = try askedRound(by: request, of: reader.federation)
                let rank = try request.integer("rank", in: 1...Int.max)
                return .configuration(
                    try await request.park {
                        try await services.models.configuration(
                            round: round, rank: rank, of: reader.federation, for: reader.rendering(request))
                    })
            }
        }
    }
}

extension Response {
    /// A rendered file. If the cache evicts it before it is opened, it is rendered once more.
    static func adapter(
        for request: Request, _ render: () async throws -> AdapterCache.File
    ) async throws -> Response {
        var rendered = try await request.park(render)
        let file: OpenFile
        do throws(OpenFileError) {
            file = try OpenFile(path: rendered.path)
        } catch .notFound {
            rendered = try await request.park(render)
            file = try OpenFile(path: rendered.path)
        }
        var response = try Response.file(
            file, etag: EntityTag(digest: rendered.digest.bytes), contentType: "application/vnd.safetensors",
            for: request)
        // A shared cache must not serve one token's response to other callers.
        response.headerFields[.cacheControl] = "private"
        return response
    }

    /// A response with an `adapter_config.json`.
    static func configuration(_ text: String) -> Response {
        Response(
            status: .ok, headerFields: [.contentType: "application/json", .cacheControl: "private"],
            body: .bytes(Array(text.utf8)))
    }
}
