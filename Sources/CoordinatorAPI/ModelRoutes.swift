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
            let (federation, _) = try request.subject(services.access)
            try request.expect(query: "since", "dtype")
            let round = try request.round()
            let since = try request.integer("since", in: 0...Int.max)
            return try await Response.adapter(for: request) {
                try await services.models.merge(
                    round: round, since: since, elementType: request.query["dtype"], of: federation)
            }
        }
        for path in [base + "/model", base + "/rounds/{round}/model"] {
            routes.on(.get, path) { request in
                let (federation, round) = try request.subject(services.access)
                try request.expect(query: "rank", "dtype")
                let rank = try request.integer("rank", in: 1...Int.max)
                return try await Response.adapter(for: request) {
                    try await services.models.file(
                        round: round, rank: rank, elementType: request.query["dtype"], of: federation)
                }
            }
            routes.on(.get, path + "/adapter_config.json") { request in
                let (federation, round) = try request.subject(services.access)
                try request.expect(query: "rank")
                return .configuration(
                    try await services.models.configuration(
                        round: round, rank: try request.integer("rank", in: 1...Int.max), of: federation))
            }
        }
    }
}

extension Request {
    /// The federation, for who may read it, and the round where the path names one.
    func subject(_ access: Access) throws -> (FederationID, round: Int?) {
        let federation = try federation()
        try principal(access).requireReader(of: federation)
        return (federation, parameters["round"] == nil ? nil : try round())
    }
}

extension Response {
    /// A rendered file; where the cache gave it up in between, it is rendered once more.
    static func adapter(
        for request: Request, _ render: () async throws -> AdapterCache.File
    ) async throws -> Response {
        var rendered = try await render()
        let file: OpenFile
        do throws(OpenFileError) {
            file = try OpenFile(path: rendered.path)
        } catch .notFound {
            rendered = try await render()
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
