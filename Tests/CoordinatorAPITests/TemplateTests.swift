import AdapterFormat
import Foundation
import HTTPFetching
import RankwiseWire
import Testing

/// Federations that are made from an adapter, over real sockets: drafts, contradictions, configurations, experts.
@Suite final class TemplateTests {
    private let folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
    private var server: LiveServer
    private static let path = "/v1/federations/f"

    init() async throws { server = try await LiveServer(folder: folder) }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    /// A file of tensors, whose numbers count up from `first` in steps of a sixteenth.
    private func file(_ tensors: [(name: String, shape: [Int])], from first: Float = 0) throws -> [UInt8] {
        let layout = try SafetensorsLayout(
            tensors: tensors.map { .init(name: "base_model.model.\($0.name)", type: .f32, shape: $0.shape) })
        var values: [Float] = []
        for tensor in layout.tensors {
            for index in 0..<tensor.shape.reduce(1, *) { values.append(first + Float(index) / 16) }
        }
        return layout.head + values.withUnsafeBytes { Array($0) }
    }

    private let linear: [(name: String, shape: [Int])] = [
        ("m.q.lora_A.weight", [4, 6]), ("m.q.lora_B.weight", [5, 4]), ("head.weight", [2, 3]),
    ]

    private var admin: Caller { get throws { try Caller(server, token: LiveServer.admin) } }

    private func create(_ adapter: String = "", more: String = "") async throws -> CreatedFederationBody {
        let answer = try await admin.call(
            .post, "/v1/federations",
            body: """
                {"id": "f", "base_model": {"name": "base"}, "adapter": {"template": true\(adapter)},
                 "round": {"total": 2, "min_updates": 2}, "seed": 5\(more)}
                """)
        try #require(answer.status == 201, "\(String(decoding: answer.body, as: UTF8.self))")
        return try WireJSON.decode(CreatedFederationBody.self, from: Data(answer.body))
    }

    private func put(_ path: String, _ bytes: [UInt8], as caller: Caller? = nil) async throws -> (Int, String) {
        let answer = try await (caller ?? admin).call(.put, Self.path + path, bytes: bytes)
        return (answer.status, String(decoding: answer.body, as: UTF8.self))
    }

    private func configure(_ text: String) async throws -> (Int, String) {
        try await put("/template/adapter_config.json", Array(text.utf8))
    }

    private func join(_ name: String, rank: Int, _ created: CreatedFederationBody) async throws -> Caller {
        let token = String(repeating: name == "a" ? "a" : "b", count: 64)
        let answer = try await Caller(server, token: created.enrolmentToken).call(
            .put, Self.path + "/clients/\(name)", body: #"{"rank": \#(rank), "token": "\#(token)"}"#)
        #expect(answer.status == 201)
        return try Caller(server, token: token)
    }

    private func published() async throws {
        for _ in 0..<500 {
            let round = try await admin.get(RoundBody.self, Self.path + "/rounds/1")
            if round.phase == "published" { return }
            try await admin.call(.get, Self.path + "/rounds/current?after=\(round.revision)&wait=5").status.check()
        }
        Issue.record("round 1 was not published")
    }

    private func adapter(_ path: String) async throws -> AdapterFile {
        try AdapterFile(SafetensorsFile(bytes: try await admin.call(.get, Self.path + path).body))
    }

    @Test(arguments: [true, false])
    func `an adapter and its configuration make a federation, in either order`(fileFirst: Bool) async throws {
        let created = try await create()
        #expect(try await admin.get(FederationBody.self, Self.path).state == "draft")
        #expect(try await admin.refusal(.get, Self.path + "/adapter") == "503 federation.draft")
        let early = try await Caller(server, token: created.enrolmentToken).refusal(
            .put, Self.path + "/clients/a", body: #"{"rank": 4, "token": "\#(String(repeating: "a", count: 64))"}"#)
        #expect(early == "503 federation.draft")
        let config = #"{"r": 4, "lora_alpha": 8, "task_type": "CAUSAL_LM", "target_modules": ["q"]}"#
        if fileFirst {
            #expect(try await put("/template", file(linear)).0 == 201)
            try await server.stop()
            server = try await LiveServer(folder: folder)
            #expect(try await configure(config).0 == 201)
        } else {
            #expect(try await configure(config).0 == 201)
            #expect(try await put("/template", file(linear)).0 == 201)
        }
        let body = try await admin.get(FederationBody.self, Self.path)
        #expect(body.state == "waiting")
        #expect(body.settings.adapter.maxRank == 4)
        #expect(body.settings.adapter.scaling == .init(mode: "lora", value: nil, alpha: 8))
        #expect(body.settings.adapter.dense["head.weight"] == .init(shape: [2, 3], initial: .named("template")))
        let first = try await adapter("/rounds/0/adapter")
        #expect(first[dense: "head.weight"]?.values.floats() == [0, 1, 2, 3, 4, 5].map { Float($0) / 16 })
        #expect(first[module: "m.q"]?.a?.floats() == (0..<24).map { Float($0) / 16 })
        let published = String(
            decoding: try await admin.call(.get, Self.path + "/adapter_config.json").body, as: UTF8.self)
        #expect(published.contains(#""task_type": "CAUSAL_LM""#))
        #expect(try await admin.refusal(.put, Self.path + "/template", body: "x") == "409 federation.state")
        try await server.stop()
        server = try await LiveServer(folder: folder)
        #expect(try await adapter("/rounds/0/adapter")[module: "m.q"]?.a?.floats() == (0..<24).map { Float($0) / 16 })
        try await server.stop()
    }

    @Test func `settings that contradict the template are refused with both values, and nothing is lost`() async throws
    {
        _ = try await create(#", "max_rank": 8, "scaling": {"mode": "lora", "alpha": 16}"#)
        #expect(try await put("/template", file(linear)).0 == 201)
        let (status, text) = try await configure(#"{"r": 4, "lora_alpha": 16}"#)
        #expect(status == 422)
        #expect(text.contains("adapter.max_rank is 8 in the settings and 4 in the template"))
        let pissa = try await configure(#"{"r": 4, "init_lora_weights": "pissa"}"#)
        #expect(pissa.0 == 422 && pissa.1.contains(#""code":"config.init_lora_weights""#))
        let rank = try await configure(#"{"r": 8, "lora_alpha": 16}"#)
        #expect(rank.0 == 422 && rank.1.contains("config.r") && rank.1.contains("has rank 4 in the file"))
        #expect(try await admin.get(FederationBody.self, Self.path).state == "draft")
        try await server.stop()
    }

    @Test func `a template comes in parts`() async throws {
        _ = try await create()
        #expect(try await configure(#"{"r": 4, "lora_alpha": 8}"#).0 == 201)
        let bytes = try file(linear)
        func patch(_ part: ArraySlice<UInt8>, at offset: Int, last: Bool) async throws -> Int {
            try await admin.call(
                .patch, Self.path + "/template/upload", bytes: Array(part),
                fields: [
                    HTTPField("Content-Type", "application/partial-upload"), HTTPField("Upload-Offset", "\(offset)"),
                    HTTPField("Upload-Complete", last ? "?1" : "?0"),
                ]
            ).status
        }
        #expect(try await patch(bytes[..<100], at: 0, last: false) == 204)
        let head = try await admin.call(.head, Self.path + "/template/upload")
        #expect(head.fields.first { $0.name.lowercased() == "upload-offset" }?.value == "100")
        #expect(try await patch(bytes[100...], at: 100, last: true) == 201)
        #expect(try await admin.get(FederationBody.self, Self.path).state == "waiting")
        try await server.stop()
    }

    @Test func `what a client's configuration says is carried, or refused by its key`() async throws {
        let created = try await create()
        #expect(try await put("/template", file(linear)).0 == 201)
        #expect(try await configure(#"{"r": 4, "lora_alpha": 8}"#).0 == 201)
        let a = try await join("a", rank: 4, created)
        let b = try await join("b", rank: 2, created)
        let path = "/rounds/1/update/adapter_config.json"
        for (config, key) in [
            (#"{"r": 4, "lora_alpha": 16}"#, "lora_alpha"), (#"{"r": 8, "lora_alpha": 8}"#, "r"),
            (#"{"r": 4, "lora_alpha": 8, "use_dora": true}"#, "use_dora"),
            (#"{"r": 4, "lora_alpha": 8, "kasa_config": {"beta": 1}}"#, "kasa_config"),
            (#"{"r": 4, "lora_alpha": 8, "layer_replication": [[0, 1]]}"#, "layer_replication"),
            (#"{"r": 4, "lora_alpha": 8, "bias": "all"}"#, "bias"),
            (#"{"r": 4, "r": 4}"#, "r"), (#"{"peft_type": "IA3"}"#, "peft_type"),
            (#"{"r": 4, "lora_alpha": 8, "target_parameters": ["m.w"]}"#, "target_parameters"),
        ] {
            // One that targets nothing is held against nothing, so every one targets the module.
            let text = String(config.dropLast()) + #", "target_modules": ["q"]}"#
            let (status, answer) = try await put(path, Array(text.utf8), as: a)
            #expect(status == 422 && answer.contains("\"code\":\"config.\(key)\""), "\(text): \(status) \(answer)")
        }
        let good = #"{"r": 4, "lora_alpha": 8, "task_type": "SEQ_CLS", "target_modules": ["q"], "note": [1, "x"]}"#
        #expect(try await put(path, Array(good.utf8), as: a).0 == 204)
        #expect(try await put("/rounds/1/update?samples=1", file(linear), as: a).0 == 201)
        let other = #"{"r": 2, "lora_alpha": 8, "task_type": "CAUSAL_LM", "target_modules": ["q"]}"#
        let refused = try await put(path, Array(other.utf8), as: b)
        #expect(refused.0 == 422 && refused.1.contains("config.task_type") && refused.1.contains("SEQ_CLS"))
        let low: [(name: String, shape: [Int])] = [("m.q.lora_A.weight", [2, 6]), ("m.q.lora_B.weight", [5, 2])]
        #expect(try await put("/rounds/1/update?samples=1", file(low, from: 1), as: b).0 == 201)
        try await published()
        let text = String(
            decoding: try await admin.call(.get, Self.path + "/adapter_config.json").body, as: UTF8.self)
        #expect(text.contains(#""task_type": "SEQ_CLS""#) && text.contains(#""note": [1,"x"]"#))
        let events = String(decoding: try await admin.call(.get, Self.path + "/events").body, as: UTF8.self)
        #expect(events.contains("federation.configured"))
        try await server.stop()
    }

    @Test func `downloads go on when somebody empties or deletes the cache`() async throws {
        let created = try await create()
        #expect(try await put("/template", file(linear)).0 == 201)
        #expect(try await configure(#"{"r": 4, "lora_alpha": 8}"#).0 == 201)
        let a = try await join("a", rank: 4, created)
        let path = Self.path + "/rounds/0/adapter?rank=4"
        let first = try await a.call(.get, path)
        #expect(first.status == 200)
        let cache = folder + "/cache"
        for name in try FileManager.default.contentsOfDirectory(atPath: cache) {
            try FileManager.default.removeItem(atPath: "\(cache)/\(name)")
        }
        #expect(try await a.call(.get, path).body == first.body)
        try FileManager.default.removeItem(atPath: cache)
        #expect(try await a.call(.get, path).body == first.body)
        try await server.stop()
    }

    @Test func `an update that is too long is refused with the tensor that the federation does not have`() async throws
    {
        let created = try await create()
        #expect(try await put("/template", file(linear)).0 == 201)
        #expect(try await configure(#"{"r": 4, "lora_alpha": 8}"#).0 == 201)
        let a = try await join("a", rank: 4, created)
        _ = try await join("b", rank: 2, created)
        let big = linear + [("m.embed.weight", [1500, 1000])]
        let (status, answer) = try await put("/rounds/1/update?samples=1", file(big), as: a)
        #expect(status == 413 && answer.contains("update.too_large") && answer.contains("m.embed.weight"), "\(answer)")
        let wide: [(name: String, shape: [Int])] = linear.map {
            ($0.name, $0.name == "head.weight" ? [2000, 1000] : $0.shape)
        }
        let other = try await put("/rounds/1/update?samples=1", file(wide), as: a)
        #expect(other.0 == 413 && other.1.contains("the granted rank"), "\(other.1)")
        #expect(try await put("/rounds/1/update?samples=1", file(linear), as: a).0 == 201)
        try await server.stop()
    }

    @Test func `merges into the base are refused with repeated layers, from settings, template and client`()
        async throws
    {
        let strategy = #", "strategy": {"name": "flora"}"#
        let config = #"{"r": 4, "lora_alpha": 8, "target_modules": ["q"], "layer_replication": [[0, 1], [0, 1]]}"#
        let refused = try await admin.call(
            .post, "/v1/federations",
            body: """
                {"id": "g", "base_model": {"name": "base"}, "strategy": {"name": "flora"}, "adapter": {"max_rank": 4,
                 "scaling": {"mode": "lora", "alpha": 8}, "modules": {"m.q": {"in": 6, "out": 5}},
                 "config": {"layer_replication": [[0, 1], [0, 1]]}}, "round": {"total": 2, "min_updates": 2}}
                """)
        let text = String(decoding: refused.body, as: UTF8.self)
        #expect(refused.status == 422 && text.contains("adapter.config.layer_replication"), "\(text)")
        let created = try await create(more: strategy)
        #expect(try await put("/template", file(linear)).0 == 201)
        let (status, answer) = try await configure(config)
        #expect(status == 422 && answer.contains("layer_replication") && answer.contains("flora"), "\(answer)")
        #expect(try await configure(#"{"r": 4, "lora_alpha": 8, "target_modules": ["q"]}"#).0 == 201)
        let a = try await join("a", rank: 4, created)
        _ = try await join("b", rank: 2, created)
        let sent = try await put("/rounds/1/update/adapter_config.json", Array(config.utf8), as: a)
        #expect(sent.0 == 422 && sent.1.contains("config.layer_replication"), "\(sent.1)")
        try await server.stop()
    }

    @Test func `components of experts are averaged expert by expert`() async throws {
        let created = try await create()
        let experts: [(name: String, shape: [Int])] = [
            ("m.experts.lora_A.weight", [6, 3]), ("m.experts.lora_B.weight", [2, 6]),
        ]
        #expect(try await put("/template", file(experts)).0 == 201)
        #expect(
            try await configure(
                #"{"r": 2, "lora_alpha": 2, "target_modules": [], "target_parameters": ["m.experts.w"]}"#
            )
            .0 == 201)
        let body = try await admin.get(FederationBody.self, Self.path)
        #expect(body.settings.adapter.modules["m.experts"]?.experts == 3)
        let a = try await join("a", rank: 2, created)
        let b = try await join("b", rank: 1, created)
        #expect(try await put("/rounds/1/update?samples=1", file(experts), as: a).0 == 201)
        let low: [(name: String, shape: [Int])] = [
            ("m.experts.lora_A.weight", [3, 3]), ("m.experts.lora_B.weight", [2, 3]),
        ]
        #expect(try await put("/rounds/1/update?samples=3", file(low, from: 4), as: b).0 == 201)
        try await published()
        let whole = try #require(try await adapter("/rounds/1/adapter?rank=2")[module: "m.experts"])
        let (factorA, factorB) = (try #require(whole.a?.floats()), try #require(whole.b?.floats()))
        for expert in 0..<3 {
            for input in 0..<3 {
                // A has the rows of an expert together; its first component is a's and b's, its second a's alone.
                let (mine, other) = (Float(expert * 6 + input) / 16, 4 + Float(expert * 3 + input) / 16)
                #expect(abs(factorA[expert * 6 + input] - (mine + 3 * other) / 4) < 1e-5)
                #expect(factorA[expert * 6 + 3 + input] == Float(expert * 6 + 3 + input) / 16)
            }
            for output in 0..<2 {
                // B has the columns of a component together; b trains at twice the scale.
                let (mine, other) = (Float(output * 6 + expert) / 16, 4 + Float(output * 3 + expert) / 16)
                #expect(abs(factorB[output * 6 + expert] - (mine + 3 * 2 * other) / 4) < 1e-5)
                #expect(factorB[output * 6 + 3 + expert] == Float(output * 6 + 3 + expert) / 16)
            }
        }
        let cut = try #require(try await adapter("/rounds/1/adapter?rank=1")[module: "m.experts"])
        #expect(cut.a?.floats() == [0, 1, 2, 6, 7, 8, 12, 13, 14].map { factorA[$0] })
        try await server.stop()
    }
}

extension Int {
    /// A status of success.
    fileprivate func check() { #expect(self < 300) }
}
