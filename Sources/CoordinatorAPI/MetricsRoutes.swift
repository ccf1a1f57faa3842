package import Coordinator
package import HTTPServing
import HTTPTypes
import MetricsExposition

extension RankwiseAPI {
    /// The route for scrapes; none where nothing is counted.
    func addMetricsRoutes(to routes: inout Routes) {
        guard let metrics else { return }
        let services = services
        routes.on(
            .get, "/metrics", for: .scraper, query: .ignored,
            contract: RouteContract(answers: ExpositionFormat.allCases.map { .bytes($0.contentType, "All metrics") }),
            "Metrics for Prometheus, as text or OpenMetrics"
        ) {
            request, _ in
            await Self.scrape(metrics, services, request)
        }
    }

    /// `GET /metrics` alone and for everybody, for a port that strangers cannot reach.
    package static func metricsRouter(_ metrics: ServerMetrics, _ services: Services) -> Router {
        var router = Router()
        router.on(.get, "/metrics") { request in await scrape(metrics, services, request) }
        return router
    }

    private static func scrape(_ metrics: ServerMetrics, _ services: Services, _ request: Request) async -> Response {
        let format = ExpositionFormat(accept: request.headerFields[.accept])
        var response = Response(
            status: .ok, contentType: format.contentType, bytes: await metrics.scrape(services, as: format))
        response.headerFields[.cacheControl] = "no-store"
        response.headerFields[.vary] = "Accept"
        return response
    }
}
