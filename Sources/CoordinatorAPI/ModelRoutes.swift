import Coordinator
import Federation
import HTTPServing
import HTTPTypes
import RankwiseWire

extension RankwiseAPI {
    /// What rounds add to the base, and whole models.
    func addModelRoutes(to routes: inout Routes) {
        let services = services
        let base = "/v1/federations/{federation}"
        routes.on(.get, base + "/rounds/{round}/merge") { request in
            let (federation, _, caller) = try request.subject(services.access)
            try request.expect(query: "since", "dtype")
            let round = try request.round()
            let since = try request.integer("since", in: 0...Int.max)
            return try await Response.adapter(for: request) {
                try await services.models.merge(
                    round: round, since: since, elementType: request.query["dtype"], of: federation,
                    for: caller)
            }
        }
        for path in [base + "/model", base + "/rounds/{round}/model"] {
            routes.on(.get, path) { request in
                let (federation, round, caller) = try request.subject(services.access)
                try request.expect(query: "rank", "dtype")
                let rank = try request.integer("rank", in: 1...Int.max)
                return try await Response.adapter(for: request) {
                    try await services.models.file(
                        round: round, rank: rank, elementType: request.query["dtype"], of: federation,
                        for: caller)
                }
            }
            routes.on(.get, path + "/adapter_config.json") { request in
                let (federation, round, caller) = try request.subject(services.access)
                try request.expect(query: "rank")
                let rank = try request.integer("rank", in: 1...Int.max)
                return .configuration(
                    try await request.park {
                        try await services.models.configuration(
                            round: round, rank: rank, of: federation, for: caller)
                    })
            }
        }
    }
}

extension Request {
    /// The federation, for who may read it, the round where the path names one, and who asks.
    func subject(_ access: Access) throws -> (FederationID, round: Int?, caller: RenderingCaller) {
        let federation = try federation()
        let principal = try principal(access)
        try principal.requireReader(of: federation)
        return (
            federation, parameters["round"] == nil ? nil : try round(),
            RenderingCaller(principal, bearer: bearer, from: address)
        )
    }
}

extension Response {
    /// A rendered file; where the cache gave it up in between, it is rendered once more.
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
        // A cache between must not give to everyone what one token was shown.
        response.headerFields[.cacheControl] = "private"
        return response
    }

    /// An `adapter_config.json`.
    static func configuration(_ text: String) -> Response {
        Response(
            status: .ok, headerFields: [.contentType: "application/json", .cacheControl: "private"],
            body: .bytes(Array(text.utf8)))
    }
}
