import Coordinator
import Federation
import HTTPServing
import HTTPTypes
import RankwiseWire

extension RankwiseAPI {
    /// Published adapters, cut to a rank.
    func addAdapterRoutes(to routes: inout Routes) {
        let services = services
        let base = "/v1/federations/{federation}"
        for path in [base + "/adapter", base + "/rounds/{round}/adapter"] {
            routes.on(.get, path) { request in
                let (federation, round) = try Self.subject(request, services)
                try request.expect(query: "rank", "dtype")
                let rank = try request.integer("rank", in: 1...Int.max)
                let (file, digest) = try await Self.open {
                    try await services.adapters.file(
                        round: round, rank: rank, elementType: request.query["dtype"], of: federation)
                }
                return try Response.file(
                    file, etag: EntityTag(digest: digest.bytes), contentType: "application/vnd.safetensors",
                    for: request)
            }
        }
        for path in [base + "/adapter_config.json", base + "/rounds/{round}/adapter_config.json"] {
            routes.on(.get, path) { request in
                let (federation, round) = try Self.subject(request, services)
                try request.expect(query: "rank")
                let text = try await services.adapters.configuration(
                    round: round, rank: try request.integer("rank", in: 1...Int.max), of: federation)
                return Response(
                    status: .ok, headerFields: [.contentType: "application/json"], body: .bytes(Array(text.utf8)))
            }
        }
    }

    /// The federation, and the round where the path names one.
    private static func subject(_ request: Request, _ services: Services) throws -> (FederationID, Int?) {
        let federation = try request.federation()
        try request.principal(services.access).requireReader(of: federation)
        return (federation, request.parameters["round"] == nil ? nil : try request.round())
    }

    /// Opens a rendered file; where the cache gave it up in between, it is rendered once more.
    private static func open(
        _ render: () async throws -> AdapterCache.File
    ) async throws -> (OpenFile, ContentDigest) {
        let file = try await render()
        do throws(OpenFileError) {
            return (try OpenFile(path: file.path), file.digest)
        } catch .notFound {
            let again = try await render()
            return (try OpenFile(path: again.path), again.digest)
        }
    }
}
