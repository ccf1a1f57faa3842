import Coordinator
import HTTPServing
import HTTPTypes
import RankwiseWire

extension RankwiseAPI {
    /// Health and what the server is.
    func addServerRoutes(to routes: inout Routes) {
        let services = services
        let about = about
        routes.on(.get, "/healthz") { request in
            try services.access.admitAnonymous(from: request.address)
            return try .json(["status": "alive"])
        }
        routes.on(.get, "/readyz") { request in
            try services.access.admitAnonymous(from: request.address)
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
