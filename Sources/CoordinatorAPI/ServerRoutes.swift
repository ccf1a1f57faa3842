import Coordinator
import HTTPServing
import HTTPTypes
import RankwiseWire

extension RankwiseAPI {
    /// Health and what the server is.
    func addServerRoutes(to routes: inout Routes) {
        let services = services
        let about = about
        // Both are cheap and counted by no rate: a stranger must not take a service down by having its checks refused.
        routes.on(.get, "/healthz", for: .anybody, query: .ignored, "Says that the server lives") { _, _ in
            try .json(["status": "alive"])
        }
        routes.on(.get, "/readyz", for: .anybody, query: .ignored, "Says whether the server can work") { _, _ in
            try await services.probe()
            return try .json(["status": "ready"])
        }
        routes.on(
            .get, "/v1/server", for: .anybodyWithinRate, query: .ignored, "Version, strategies and limits"
        ) { _, _ in
            try .json(
                ServerBody(
                    version: about.version, strategies: services.strategyNames,
                    limits: about.limits.mapValues { .integer(Int64($0)) }))
        }
    }
}
