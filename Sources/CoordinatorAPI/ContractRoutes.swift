import Coordinator
import Federation
import HTTPServing
import HTTPTypes
import RankwiseWire

extension RankwiseAPI {
    /// Routes of the contract and of the first page.
    ///
    /// - Parameter text: is written once all routes are known.
    func addContractRoutes(_ text: ContractText, to routes: inout Routes) {
        routes.on(
            .get, "/", for: .anybodyWithinRate, query: .ignored,
            contract: RouteContract(
                answers: [
                    .bytes("text/plain; charset=utf-8", "Five lines for people with curl"),
                    .none("A browser is sent to the dashboard", status: 303),
                ]), "Says where to go on; a browser goes to the dashboard"
        ) { [about] request, _ in
            var response =
                request.headerFields[.accept]?.contains("text/html") == true
                ? Response(status: .seeOther, headerFields: [.location: "/ui/"]) : .plain(Self.welcome(about.version))
            response.headerFields[.vary] = "Accept"
            return response
        }
        routes.on(
            .get, "/openapi.json", for: .anybodyWithinRate, query: .ignored,
            contract: RouteContract(answers: [.json(.freeObject, "An OpenAPI 3.1 document")]),
            "The contract, for programs"
        ) { _, _ in
            Response(
                status: .ok, headerFields: [.contentType: "application/json", .cacheControl: "no-cache"],
                body: .bytes(try text.document))
        }
        routes.on(
            .get, "/openapi", for: .anybodyWithinRate, query: .ignored,
            contract: RouteContract(answers: [.bytes("text/html; charset=utf-8", "The page")]),
            "The contract, for people"
        ) { _, _ in
            .guarded("text/html; charset=utf-8", text.page)
        }
        routes.on(
            .get, "/openapi.css", for: .anybodyWithinRate, query: .ignored,
            contract: RouteContract(answers: [.bytes("text/css; charset=utf-8", "The style sheet")]),
            "The style of that page"
        ) { _, _ in
            .guarded("text/css; charset=utf-8", Array(ContractPage.style.utf8))
        }
    }

    private static func welcome(_ version: String) -> String {
        """
        Rankwise \(version) coordinates federated fine-tuning with LoRA adapters.
        /v1/federations   the federations; call with "Authorization: Bearer TOKEN"
        /openapi.json     the contract; /openapi is the same for people
        /readyz           whether this server can work; /metrics has its figures
        /ui/              the dashboard, for a browser

        """
    }
}

extension Response {
    fileprivate static func plain(_ text: String) -> Response {
        Response(status: .ok, contentType: "text/plain; charset=utf-8", bytes: Array(text.utf8))
    }

    /// A part of a page that may load its own style and nothing else, run nothing, and stand in no other page.
    fileprivate static func guarded(_ type: String, _ bytes: [UInt8]) -> Response {
        var response = Response(status: .ok, contentType: type, bytes: bytes)
        response.headerFields[.cacheControl] = "no-cache"
        response.headerFields[.contentSecurityPolicy] =
            "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        response.headerFields[.xContentTypeOptions] = "nosniff"
        return response
    }
}
