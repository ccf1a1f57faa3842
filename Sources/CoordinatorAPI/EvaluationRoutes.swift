import Coordinator
import Federation
import Foundation
import HTTPServing
import HTTPTypes
import RankwiseWire

extension RankwiseAPI {
    /// The limit on an answer's body, in bytes. It suffices for every valid one.
    private static let evaluationLimit = 16 << 10

    /// Routes of evaluations by clients.
    func addEvaluationRoutes(to routes: inout Routes) {
        let services = services
        routes.on(
            .put, "/v1/federations/{federation}/rounds/{round}/evaluation", for: .client,
            contract: RouteContract(
                body: .json(EvaluationBody.schema),
                answers: [
                    .json(EvaluationReceiptBody.schema, "The server holds the same answer already"),
                    .json(EvaluationReceiptBody.schema, "The answer is taken", status: 201),
                ],
                problems: [.document, .client, .evaluation, .store]),
            "Takes what the client found when it scored the round's adapter"
        ) { request, client in
            let number = try request.round()
            let bytes = try await request.body.collect(upTo: Self.evaluationLimit)
            let body = try WireJSON.decodeStrictly(EvaluationBody.self, from: Data(bytes))
            let receipt = try await services.evaluations.take(
                EvaluationAnswer(samples: body.samples, metrics: body.metrics), by: client.name, round: number,
                in: client.federation)
            return try .json(
                EvaluationReceiptBody(round: number, received: receipt.received), status: receipt.isNew ? .created : .ok
            )
        }
        routes.on(
            .get, "/v1/federations/{federation}/rounds/{round}/evaluations", for: .reader,
            query: [
                .init("after", .name, "only clients whose names come later"),
                .init("limit", .integer, "1 to 1000 clients; 1000 where absent", in: 1...1000),
            ],
            contract: RouteContract(
                answers: [.json(EvaluationsBody.schema, "The clients")], problems: [.evaluation, .store]),
            "What each client found in a round's evaluation, in the order of names"
        ) { request, reader in
            let limit = try request.integer("limit", in: 1...RoundBody.mostListed) ?? RoundBody.mostListed
            let after = try request.name("after")
            let evaluation = try await services.evaluations.evaluation(
                ofRound: try request.round(), of: reader.federation)
            return try .json(EvaluationsBody(evaluation, after: after, limit: limit))
        }
    }

    /// The parameter of the routes that answer with the newest round's files.
    static let bestRound = QueryParameter(
        "round", .text, "`best`: the best evaluated round in place of the newest", oneOf: ["best"])

    /// The round in the path, or the best one where the query asks for it; nil for the newest.
    func askedRound(by request: Request, of federation: FederationID) throws -> Int? {
        guard let asked = request.query["round"] else { return try request.namedRound() }
        guard asked == "best" else { throw ArgumentError.invalid(name: "round", found: asked, expected: "best") }
        return try services.evaluations.bestRound(of: federation)
    }
}
