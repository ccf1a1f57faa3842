import Coordinator
import Federation
import HTTPServing
import HTTPTypes
import RankwiseWire

extension RankwiseAPI {
    /// Routes of published adapters, cut to a rank.
    func addAdapterRoutes(to routes: inout Routes) {
        let services = services
        let base = "/v1/federations/{federation}"
        for path in [base + "/adapter", base + "/rounds/{round}/adapter"] {
            routes.on(
                .get, path, for: .reader,
                query: DeclaredQuery(
                    [
                        .init("rank", .integer, "cut to this rank", in: 1...Int.max),
                        .init("for", .integer, "the round that it will be trained in", in: 1...Int.max),
                        .init("dtype", .text, "element type, such as F32 or BF16", oneOf: ["F32", "F16", "BF16"]),
                        .init("bits", .integer, "a message of so many bits a number", in: 4...8),
                    ], bestRoundOf: path),
                contract: RouteContract(
                    answers: .file("application/vnd.safetensors"),
                    problems: [.rendering, .file, .round, .evaluation, .store]),
                "The adapter"
            ) { request, reader in
                let round = try askedRound(by: request, of: reader.federation)
                let rank = try request.integer("rank", in: 1...Int.max)
                let trainedIn = try request.integer("for", in: 1...Int.max)
                let bits = try request.integer("bits", in: 1...64)
                return try await Response.adapter(for: request) {
                    try await services.adapters.file(
                        round: round, rank: rank, trainedIn: trainedIn, elementType: request.query["dtype"],
                        messageBits: bits, of: reader.federation, for: reader.rendering(request))
                }
            }
        }
        for path in [base + "/adapter_config.json", base + "/rounds/{round}/adapter_config.json"] {
            routes.on(
                .get, path, for: .reader,
                query: DeclaredQuery(
                    [
                        .init("rank", .integer, "cut to this rank", in: 1...Int.max),
                        .init("for", .integer, "the round that it will be trained in", in: 1...Int.max),
                    ], bestRoundOf: path),
                contract: RouteContract(
                    answers: [.json(.freeObject, "PEFT's configuration")],
                    problems: [.rendering, .round, .evaluation, .store]),
                "The configuration of the adapter"
            ) { request, reader in
                .configuration(
                    try await services.adapters.configuration(
                        round: try askedRound(by: request, of: reader.federation),
                        rank: try request.integer("rank", in: 1...Int.max),
                        trainedIn: try request.integer("for", in: 1...Int.max), of: reader.federation))
            }
        }
    }
}
