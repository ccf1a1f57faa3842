import Dashboard
import HTTPServing
import HTTPTypes

extension RankwiseAPI {
    /// Routes of the dashboard's files. They have no rate limit: they are few, small and in memory.
    func addDashboardRoutes(to routes: inout Routes) {
        routes.on(
            .get, "/ui", for: .anybody,
            contract: RouteContract(answers: [.none("The dashboard's address", status: 308)]), "Leads to the dashboard"
        ) { _, _ in
            Response(status: .permanentRedirect, headerFields: [.location: "/ui/"])
        }
        let types = Set(DashboardFile.all.values.map(\.mediaType)).sorted()
        routes.on(
            .get, "/ui/{file...}", for: .anybody,
            contract: RouteContract(answers: types.flatMap { [RouteContract.Answer].file($0) }), "The dashboard's files"
        ) { request, _ in
            let name = request.parameters["file"] ?? ""
            guard let file = name.isEmpty ? DashboardFile.page : DashboardFile.all[name] else {
                throw RequestFailure.notFound
            }
            var response = try Response.bytes(
                file.bytes, etag: EntityTag(digest: file.digest), contentType: file.mediaType, for: request)
            response.headerFields.append(contentsOf: Self.dashboardFields)
            return response
        }
    }

    /// What a browser may do with the files: load what this server has, and nothing else.
    static let dashboardFields: HTTPFields = {
        var fields: HTTPFields = [
            .contentSecurityPolicy: """
            default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
            base-uri 'none'; form-action 'none'; frame-ancestors 'none'
            """,
            .xContentTypeOptions: "nosniff",
            // Asked again each time, so that a new version of the server shows its own page.
            .cacheControl: "no-cache",
        ]
        if let policy = HTTPField.Name("Referrer-Policy") { fields[policy] = "no-referrer" }
        return fields
    }()
}
