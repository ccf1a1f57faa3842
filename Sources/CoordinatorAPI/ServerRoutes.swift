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
        routes.on(.get, "/healthz") { _ in try .json(["status": "alive"]) }
        routes.on(.get, "/readyz") { _ in
            try await services.probe()
            return try .json(["status": "ready"])
        }
        routes.on(.get, "/v1/server") { request in
            try services.access.admitAnonymous(from: request.address)
            return try .json(
                ServerBody(
                    version: about.version, strategies: services.strategyNames,
                    limits: about.limits.mapValues { .integer(Int64($0)) }))
        }
    }
}
