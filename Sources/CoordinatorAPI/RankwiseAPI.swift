package import Coordinator
import Federation
package import HTTPServing
import HTTPTypes
package import Logging
import RankwiseWire

/// HTTP v1: connects all route groups to the services and turns errors into problems.
package struct RankwiseAPI: Sendable {
    let services: Services
    let about: About
    /// Nil where nothing is counted.
    let metrics: ServerMetrics?
    private let logger: Logger

    /// The facts of this server that `GET /v1/server` returns.
    package struct About: Sendable {
        package let version: String
        package let limits: [String: Int]

        package init(version: String, limits: [String: Int]) {
            self.version = version
            self.limits = limits
        }
    }

    package init(services: Services, about: About, metrics: ServerMetrics? = nil, logger: Logger) {
        self.services = services
        self.about = about
        self.metrics = metrics
        self.logger = logger
    }

    package var router: Router { routes.router }

    /// All routes, in the order of the route groups.
    package var declaredRoutes: [RouteDeclaration] { routes.declared }

    private var routes: Routes {
        var routes = Routes(api: self)
        addServerRoutes(to: &routes)
        let contract = ContractText()
        addContractRoutes(contract, to: &routes)
        addMetricsRoutes(to: &routes)
        addCallerRoutes(to: &routes)
        addDashboardRoutes(to: &routes)
        addFederationRoutes(to: &routes)
        addClientRoutes(to: &routes)
        addTokenRoutes(to: &routes)
        addRoundRoutes(to: &routes)
        addCurveRoutes(to: &routes)
        addEvaluationRoutes(to: &routes)
        addUpdateRoutes(to: &routes)
        addUploadRoutes(to: &routes)
        addTemplateRoutes(to: &routes)
        addAdapterRoutes(to: &routes)
        addModelRoutes(to: &routes)
        addLifeRoutes(to: &routes)
        contract.write(routes.declared, version: about.version)
        return routes
    }

    /// Renders a failure in the transport as a problem.
    package func render(_ failure: RequestFailure) -> Response {
        refusal(Problem(failure))
    }

    /// The same for a server without the API, where nothing is counted.
    package static func answer(to failure: RequestFailure) -> Response { .problem(Problem(failure)) }

    /// The answer of a problem, which is counted.
    func refusal(_ problem: Problem) -> Response {
        metrics?.count(problem: problem.code)
        return .problem(problem)
    }

    /// Bodies are stored as they come, so a content coding is refused: nobody would decode it.
    private static func refuseCodings(_ request: Request) throws {
        guard request.body.declaredLength != 0, let coding = request.headerFields[.contentEncoding],
            coding.lowercased() != "identity"
        else { return }
        throw UnsupportedType(field: "Content-Encoding", found: coding, expected: "none")
    }

    /// Counts the request and its body against the limits of its sender.
    private func metered(_ request: Request, by handler: Handler) async throws -> Response {
        let visit = try services.access.begin(
            bearer: request.bearer, hasBody: request.body.declaredLength != 0, from: request.address
        ) { request.end() }
        defer { if let visit { services.access.finish(visit) } }
        guard request.body.declaredLength != 0,
            let upload = try services.access.beginUpload(
                request.body.declaredLength, bearer: request.bearer, from: request.address)
        else { return try await handler(request) }
        defer { services.access.endUpload(upload, byteCount: request.body.receivedBytes) }
        return try await handler(request)
    }

    /// Answers with a problem for every error that a service throws. Errors of the transport are rethrown.
    func answer(_ request: Request, with handler: Handler) async throws -> Response {
        do {
            try Self.refuseCodings(request)
            return try await metered(request, by: handler)
        } catch {
            return try response(to: error, of: request)
        }
    }

    /// Separate from `answer`, which would otherwise hold stack space for every problem while a handler waits.
    @inline(never)
    private func response(to error: any Error, of request: Request) throws -> Response {
        switch error {
        case ServiceError.tooManyRequests(let seconds):
            var response = refusal(Problem(.tooManyRequests(retryAfter: seconds)))
            response.headerFields[.retryAfter] = "\(seconds)"
            return response
        case let error as ServiceError:
            switch error {
            // The caller's archive, and not the store.
            case .store(.unsound): break
            case .store(let reason):
                logger.error("the store failed", metadata: ["reason": "\(reason)", "path": "\(request.path)"])
            case .internalFailure(let reason):
                logger.error("internal failure", metadata: ["reason": "\(reason)", "path": "\(request.path)"])
            default: break
            }
            return refusal(Problem(error))
        case let error as ArgumentError: return refusal(Problem(error))
        case let error as WireError: return refusal(Problem(error))
        case let error as CertificateMismatch: return refusal(Problem(error))
        case let error as UpdateTooLong: return refusal(Problem(error))
        case let error as UnsupportedType: return refusal(Problem(error))
        default: throw error
        }
    }
}
