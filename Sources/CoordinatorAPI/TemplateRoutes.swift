import Coordinator
import Federation
import HTTPServing
import HTTPTypes
import RankwiseWire

extension RankwiseAPI {
    private static let templating: Set<ProblemCode.Group> = [
        .digest, .adapterFile, .configuration, .template, .state, .settings, .store,
    ]

    /// Routes of a template's two parts: the adapter and its configuration.
    func addTemplateRoutes(to routes: inout Routes) {
        let services = services
        let path = "/v1/federations/{federation}/template"
        routes.on(
            .put, path, for: .federationAdmin,
            contract: RouteContract(
                body: .bytes(type: "application/octet-stream"),
                answers: [.json(TemplateBody.schema, "It was taken", status: 201)], problems: Self.templating),
            "Takes the adapter that a federation is made from"
        ) { request, admin in
            let expected = try request.digestOfWhole()
            try Self.refuseOtherTypes(request)
            let ticket = try services.templates.begin(admin.federation, byteCount: request.body.declaredLength)
            let saved: SavedBody
            do throws(RequestBodyError) {
                saved = try await request.body.save(
                    to: ticket.spool.path, upTo: ticket.byteLimit, durably: ticket.mustBeDurable,
                    watch: ticket.arrival?.take)
            } catch {
                await services.templates.abandon(ticket)
                throw error
            }
            guard let digest = ContentDigest(bytes: saved.sha256) else {
                await services.templates.abandon(ticket)
                throw ServiceError.internalFailure("a digest of \(saved.sha256.count.counted("byte"))")
            }
            let receipt = try await services.templates.finish(
                ticket, digest: digest, expected: expected, byteCount: saved.byteCount)
            return try .json(TemplateBody(receipt), status: .created)
        }
        routes.on(
            .put, path + "/adapter_config.json", for: .federationAdmin,
            contract: RouteContract(
                body: .bytes(type: "application/json"),
                answers: [.json(TemplateBody.schema, "It was taken", status: 201)], problems: Self.templating),
            "Takes the configuration of that adapter"
        ) { request, admin in
            let text = try await request.body.collect(upTo: Self.configurationLimit)
            return try .json(
                TemplateBody(try await services.templates.configure(text, of: admin.federation)), status: .created)
        }
    }
}

extension TemplateBody {
    init(_ receipt: TemplateService.Receipt) {
        var awaited: [String] = []
        if receipt.state == .draft {
            if receipt.digest == nil { awaited.append("template") }
            if !receipt.hasConfiguration { awaited.append("template/adapter_config.json") }
        }
        self.init(
            state: receipt.state.rawValue, digest: receipt.digest.map { "\($0)" },
            bytes: receipt.digest == nil ? nil : receipt.byteCount, awaited: awaited)
    }
}
