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
                let (federation, round, caller) = try request.subject(services.access)
                try request.expect(query: "rank", "for", "dtype", "bits")
                let rank = try request.integer("rank", in: 1...Int.max)
                let trainedIn = try request.integer("for", in: 1...Int.max)
                let bits = try request.integer("bits", in: 1...64)
                return try await Response.adapter(for: request) {
                    try await services.adapters.file(
                        round: round, rank: rank, trainedIn: trainedIn, elementType: request.query["dtype"],
                        messageBits: bits, of: federation, for: caller)
                }
            }
        }
        for path in [base + "/adapter_config.json", base + "/rounds/{round}/adapter_config.json"] {
            routes.on(.get, path) { request in
                let (federation, round, _) = try request.subject(services.access)
                try request.expect(query: "rank", "for")
                return .configuration(
                    try await services.adapters.configuration(
                        round: round, rank: try request.integer("rank", in: 1...Int.max),
                        trainedIn: try request.integer("for", in: 1...Int.max), of: federation))
            }
        }
    }
}
