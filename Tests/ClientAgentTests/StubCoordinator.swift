import Crypto
import Foundation
import RankwiseWire
import Synchronization
import TestStage

/// The server's half of the protocol for one federation, over real sockets, with a script for what goes wrong.
///
/// A round is published as soon as one update is in; `total` rounds finish the federation.
final class StubCoordinator: Sendable {
    struct Upload: Sendable, Hashable {
        var round: Int
        var query: [String: String]
        var bytes: [UInt8]
    }

    struct Answer: Sendable {
        var status: Int
        var fields: [String] = []
        var body: [UInt8] = []

        static func json(_ status: Int, _ text: String) -> Answer { Answer(status: status, body: Array(text.utf8)) }
        static func problem(_ status: Int, _ code: String) -> Answer {
            Answer(
                status: status, fields: ["Content-Type: application/problem+json"],
                body: Array(
                    #"{"type":"about:blank","title":"No","status":\#(status),"code":"\#(code)","detail":"no"}"#.utf8))
        }
        /// What the server answers to an update.
        static func receipt(for bytes: [UInt8]) -> Answer {
            let digest = SHA256.hash(data: bytes).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
            return .json(201, #"{"digest":"sha256:\#(digest)","rank":4,"samples":9,"received":1}"#)
        }
        /// The connection is closed without a word.
        static let silence = Answer(status: 0)
    }

    struct State: Sendable {
        var tokens: [String: String] = [:]
        var createdAt = "2026-01-01T00:00:00Z"
        var registrations: [RegistrationBody] = []
        var enrolments: [String?] = []
        var uploads: [Upload] = []
        var requests: [String] = []
        var round = 1
        var revision = 1
        var total = 3
        /// Looked at before anything else; nil answers as usual.
        var script: (@Sendable (PeerRequest, inout State) -> Answer?)?

        mutating func publish() {
            round += 1
            revision += 1
        }
    }

    static let enrolment = "enrolment-token"
    let state = Mutex(State())

    func start(port: UInt16 = 0) throws -> LoopbackPeer {
        try LoopbackPeer(port: port) { [self] connection in
            while let request = connection.request() {
                let answer = state.withLock { state in
                    state.requests.append("\(request.method) \(request.path)")
                    return state.script?(request, &state) ?? Self.answer(request, &state)
                }
                guard answer.status > 0 else { return }
                connection.answer("\(answer.status) Stub", answer.fields, body: answer.body)
            }
        }
    }

    /// A safetensors file without tensors that says which round it is of.
    static func adapter(ofRound round: String) -> [UInt8] {
        let header = Array(#"{"__metadata__":{"adapter of":"\#(round)"}}"#.utf8)
        return [UInt8(header.count), 0, 0, 0, 0, 0, 0, 0] + header
    }

    private static func answer(_ request: PeerRequest, _ state: inout State) -> Answer {
        let token = request.fields["authorization"].map { String($0.dropFirst("Bearer ".count)) }
        let parts = request.path.split(separator: "/").map(String.init)
        guard parts.starts(with: ["v1", "federations", "digits"]) else { return .problem(404, "federation.unknown") }
        let rest = Array(parts.dropFirst(3))
        if request.method == "PUT", rest.count == 2, rest[0] == "clients" {
            return register(rest[1], token, request, &state)
        }
        guard let client = state.tokens.first(where: { $0.value == token })?.key else {
            return .problem(401, "auth.token")
        }
        switch (request.method, rest.count, rest.last) {
        case ("GET", 0, _): return .json(200, settings(state))
        case ("GET", 1, "plan"): return .json(200, plan(client, state))
        case ("GET", 3, "adapter"):
            return Answer(status: 200, fields: ["ETag: \"\(rest[1])\""], body: adapter(ofRound: rest[1]))
        case ("GET", 3, "adapter_config.json"): return .json(200, #"{"r":4}"#)
        case ("PUT", 3, "update"):
            let round = Int(rest[1]) ?? 0
            guard round == state.round else { return .problem(409, "round.closed") }
            state.uploads.append(Upload(round: round, query: request.query, bytes: request.body))
            state.publish()
            return .receipt(for: request.body)
        default: return .problem(404, "unknown")
        }
    }

    private static func register(
        _ client: String, _ token: String?, _ request: PeerRequest, _ state: inout State
    ) -> Answer {
        state.enrolments.append(token)
        guard token == enrolment else { return .problem(401, "auth.token") }
        guard let body = try? WireJSON.decodeStrictly(RegistrationBody.self, from: Data(request.body)) else {
            return .problem(400, "body.invalid")
        }
        guard state.tokens[client] ?? body.token == body.token else { return .problem(409, "client.exists") }
        let isNew = state.tokens.updateValue(body.token, forKey: client) == nil
        state.registrations.append(body)
        return .json(isNew ? 201 : 200, #"{"name":"\#(client)","rank":4,"ranks":{"fc1":4}}"#)
    }

    private static func settings(_ state: State) -> String {
        #"""
        {"id":"digits","state":"running","round":\#(state.round),"revision":\#(state.revision),"clients":1,
         "created_at":"\#(state.createdAt)","news":"from a later server","settings":
         {"id":"digits","base_model":{"name":"mlp-4-2","seed":7},"adapter":{"max_rank":4,
          "modules":{"fc1":{"in":4,"out":2,"kind":"new"}}},"strategy":{"name":"rbla"}}}
        """#
    }

    static func plan(_ client: String, _ state: State) -> String {
        let phase = state.round > state.total ? "published" : "collecting"
        let life = state.round > state.total ? "finished" : "running"
        return #"""
            {"federation":"digits","round":\#(state.round),"phase":"\#(phase)","state":"\#(life)",
             "revision":\#(state.revision),"client":"\#(client)","selected":true,"answered":false,"deadline_at":null,
             "rank":4,"ranks":{"fc1":4},"scales":{"fc1":1.0},
             "adapter":{"round":\#(state.round - 1),"href":"/elsewhere?rank=4&for=\#(state.round)"},
             "merge":null,"reinitialise":false,
             "seed":18446744073709551615,"train":["A","B"],"send":["A","B"],"penalty":0,"newer":{"key":[1]},
             "training":{"epochs":2,"batch_size":8,"optimizer":"sgd","learning_rate":0.01,"momentum":0.9},
             "update":"/v1/federations/digits/rounds/\#(state.round)/update"}
            """#
    }
}
