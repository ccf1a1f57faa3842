import Coordinator
import Federation
import HTTPServing
import HTTPTypes
import RankwiseWire

extension RankwiseAPI {
    /// Routes of a client's update of a round.
    func addUpdateRoutes(to routes: inout Routes) {
        let services = services
        let path = "/v1/federations/{federation}/rounds/{round}/update"
        routes.on(
            .put, path, for: .client, query: Self.claimed, early: .digests,
            contract: RouteContract(
                body: .bytes(type: "application/octet-stream"),
                answers: [
                    .json(ReceiptBody.schema, "It counts", status: 201),
                    .json(ReceiptBody.schema, "It was held already"),
                ], problems: [.client, .digest, .adapterFile, .update, .configuration, .store]),
            "Takes the client's update"
        ) { request, client in
            let claim = try Self.claim(request, of: client, digest: try request.digestOfWhole())
            try Self.refuseOtherTypes(request)
            let ticket = try await services.updates.begin(claim, byteCount: request.body.declaredLength)
            let saved: SavedBody
            do throws(RequestBodyError) {
                saved = try await request.body.save(
                    to: ticket.spool.path, upTo: ticket.byteLimit, durably: ticket.mustBeDurable,
                    watch: ticket.arrival?.take)
            } catch .tooLong(let limit) {
                await services.updates.abandon(ticket)
                throw UpdateTooLong(
                    limit: limit, found: request.body.declaredLength,
                    stranger: try services.updates.stranger(
                        inHead: await Self.head(of: request.body), byteCount: request.body.declaredLength,
                        of: claim.federation))
            } catch {
                await services.updates.abandon(ticket)
                throw error
            }
            guard let digest = ContentDigest(bytes: saved.sha256) else {
                await services.updates.abandon(ticket)
                throw ServiceError.internalFailure("a digest of \(saved.sha256.count.counted("byte"))")
            }
            let receipt = try await services.updates.finish(ticket, digest: digest, byteCount: saved.byteCount)
            return try .json(ReceiptBody(receipt), status: receipt.isNew ? .created : .ok)
        }
        routes.on(
            .put, path + "/adapter_config.json", for: .client,
            contract: RouteContract(
                body: .bytes(type: "application/json"), answers: [.none("It is kept")],
                problems: [.client, .configuration, .update, .store]),
            "Takes the configuration of the update's adapter"
        ) { request, client in
            let round = try request.round()
            let text = try await request.body.collect(upTo: Self.configurationLimit)
            try await services.configurations.take(text, of: client.name, round: round, in: client.federation)
            return Response(status: .noContent)
        }
        routes.on(
            .delete, path, for: .federationAdmin,
            query: [.init("client", .name, "whose update; required", isRequired: true)],
            contract: RouteContract(
                answers: [.none("It counts no longer")], problems: [.heldUpdate, .client, .update, .store]),
            "Takes an update back while its round collects"
        ) { request, admin in
            guard let text = request.query["client"] else {
                throw ArgumentError.missing(name: "client", expected: "?client=NAME, whose update is taken back")
            }
            try await services.updates.takeBack(
                updateOf: try Request.client(named: text), round: try request.round(), in: admin.federation)
            return Response(status: .noContent)
        }
        routes.on(
            .get, path, for: .client,
            contract: RouteContract(
                answers: [.json(ReceiptBody.schema, "What is held")], problems: [.client, .heldUpdate, .store]),
            "The receipt of the client's update"
        ) { request, client in
            let round = try request.round()
            return try .json(
                ReceiptBody(try await services.updates.receipt(for: client.name, round: round, in: client.federation)))
        }
    }

    /// The first bytes of a body that is too long, including the header of a safetensors file; empty where no byte
    /// comes.
    private static func head(of body: RequestBody) async -> [UInt8] {
        var head: [UInt8] = []
        while head.count < 1 << 20, let piece = try? await body.next() {
            head += piece
            guard head.count >= 8 else { continue }
            let length = (0..<8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64(head[$1]) }
            if length <= UInt64(head.count - 8) { break }
        }
        return head
    }

    /// The limit on an `adapter_config.json`, in bytes.
    static let configurationLimit = 16 << 20

    static let claimed: DeclaredQuery = [
        .init("samples", .integer, "how many were trained on; required, of parts with the last"),
        .init("loss", .number, "of the training"),
        .init("accuracy", .number, "of the training"),
    ]

    /// The caller's statements about its update.
    static func claim(_ request: Request, of client: Client, digest: ContentDigest?) throws -> UpdateService.Claim {
        guard let samples = try request.integer("samples", in: 0...Int.max) else {
            throw ArgumentError.missing(name: "samples", expected: "?samples=N, the number of samples trained on")
        }
        return UpdateService.Claim(
            federation: client.federation, round: try request.round(), client: client.name, samples: samples,
            metrics: Metrics(loss: try request.number("loss"), accuracy: try request.number("accuracy")),
            digest: digest)
    }

    /// curl sends files without a type or as a form, so these are accepted. Other types are refused.
    static func refuseOtherTypes(_ request: Request) throws {
        guard let field = request.headerFields[.contentType] else { return }
        let type = field.prefix { $0 != ";" && $0 != " " }.lowercased()
        let taken = ["application/octet-stream", "application/vnd.safetensors", "application/x-www-form-urlencoded"]
        guard taken.contains(type) else { throw UnsupportedType(found: type, expected: taken[0]) }
    }
}

/// A body is longer than any valid update.
struct UpdateTooLong: Error {
    let limit: Int
    let found: Int?
    /// A tensor in the body that the federation does not have.
    let stranger: String?
}

/// The operation does not accept the body's type or coding.
struct UnsupportedType: Error {
    /// The header field at fault.
    var field = "Content-Type"
    let found: String
    let expected: String
}

extension ReceiptBody {
    init(_ receipt: UpdateService.Receipt) {
        self.init(
            digest: "\(receipt.update.digest)", rank: receipt.update.rank, samples: receipt.update.samples,
            received: receipt.received)
    }
}
