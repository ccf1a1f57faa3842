import Coordinator
import HTTPServing
import HTTPTypes
import RankwiseWire

extension RankwiseAPI {
    /// Routes of health and of the server's properties.
    func addServerRoutes(to routes: inout Routes) {
        let services = services
        let about = about
        // Both are cheap and have no rate limit. Otherwise a stranger could make health checks fail.
        routes.on(
            .get, "/healthz", for: .anybody, query: .ignored,
            contract: RouteContract(answers: [.json(.map(of: .text), "It lives")]), "Says that the server lives"
        ) { _, _ in
            try .json(["status": "alive"])
        }
        routes.on(
            .get, "/readyz", for: .anybody, query: .ignored,
            contract: RouteContract(answers: [.json(.map(of: .text), "It can work")], problems: [.store]),
            "Says whether the server can work"
        ) { _, _ in
            try await services.probe()
            return try .json(["status": "ready"])
        }
        routes.on(
            .get, "/v1/server", for: .anybodyWithinRate, query: .ignored,
            contract: RouteContract(answers: [.json(ServerBody.schema, "The server")]), "Version, strategies and limits"
        ) { _, _ in
            try .json(
                ServerBody(
                    version: about.version, strategies: services.strategyNames,
                    limits: about.limits.mapValues { .integer(Int64($0)) }))
        }
    }
}
