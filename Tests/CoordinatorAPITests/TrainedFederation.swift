import AdapterFormat
import Foundation
import HTTPFetching
import RankwiseWire
import Testing

/// A federation on a live server whose clients obey their plans: each sends what it downloaded, moved by seeded noise.
final class TrainedFederation {
    static let path = "/v1/federations/digits"

    let folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
    private(set) var server: LiveServer
    private var tokens = CreatedFederationBody(id: "", enrolmentToken: "", readerToken: "")
    private let ranks: [String: Int]

    /// - Parameters:
    ///   - strategy: the settings' `strategy`, as JSON; `more` stands beside it.
    ///   - adapter: further keys of the settings' `adapter`, as JSON.
    ///   - policy: the settings' `round` besides its length; everybody answers where it is nil.
    ///   - ranks: the clients with their ranks.
    init(
        strategy: String, scaling: String = #"{"mode": "lora", "alpha": 8}"#, more: String = "", adapter: String = "",
        rounds: Int = 3, policy: String? = nil,
        ranks: [String: Int]
    ) async throws {
        self.ranks = ranks
        server = try await LiveServer(folder: folder)
        let settings = """
            {"id": "digits", "base_model": {"name": "mlp-6-5-3"}, "seed": 11,
             "adapter": {"max_rank": 4, "scaling": \(scaling), "modules": {
               "fc1": {"in": 6, "out": 5}, "fc2": {"in": 5, "out": 3, "max_rank": 2, "bias": true}},
               "dense": {"head.bias": {"shape": [3], "init": "zeros"}}\(adapter)},
             "strategy": \(strategy)\(more),
             "round": {"total": \(rounds), \(policy ?? "\"min_updates\": \(ranks.count)")}}
            """
        let created = try await caller(LiveServer.admin).call(.post, "/v1/federations", body: settings)
        let text = String(decoding: created.body, as: UTF8.self)
        #expect(created.status == 201, "\(text)")
        tokens = try WireJSON.decode(CreatedFederationBody.self, from: Data(created.body))
        for (name, rank) in ranks { _ = try await register(name, rank: rank) }
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    var reader: Caller { get throws { try caller(tokens.readerToken) } }

    var admin: Caller { get throws { try caller(LiveServer.admin) } }

    func client(_ name: String) throws -> Caller { try caller(Self.token(of: name)) }

    private func caller(_ token: String) throws -> Caller { try Caller(server, token: token) }

    private static func token(of name: String) -> String {
        String(repeating: "0", count: 64 - 2 * name.utf8.count)
            + name.utf8.map { String($0, radix: 16) }.joined()
    }

    /// Registers a client with the enrolment token, or by its own where it is known; answers the status.
    func register(
        _ name: String, rank: Int, capabilities: String = "{}", byItself: Bool = false
    ) async throws -> Int {
        try await caller(byItself ? Self.token(of: name) : tokens.enrolmentToken).call(
            .put, Self.path + "/clients/\(name)",
            body: #"{"rank": \#(rank), "token": "\#(Self.token(of: name))", "capabilities": \#(capabilities)}"#
        ).status
    }

    func stop() async throws { try await server.stop() }

    /// Stops the server and starts another one on what it left.
    func restart() async throws {
        try await server.stop()
        server = try await LiveServer(folder: folder)
    }

    func plan(of name: String) async throws -> PlanBody {
        try await client(name).get(PlanBody.self, Self.path + "/plan")
    }

    /// What a path answers, as an adapter.
    func adapter(_ path: String) async throws -> AdapterFile {
        let answer = try await reader.call(.get, path)
        let text = answer.status == 200 ? "" : String(decoding: answer.body, as: UTF8.self)
        #expect(answer.status == 200, "\(path): \(text)")
        return try AdapterFile(SafetensorsFile(bytes: answer.body))
    }

    /// The adapter's scale as PEFT reads it from the configuration at `path`.
    func configuration(_ path: String) async throws -> AdapterConfig {
        try AdapterConfig(json: try await reader.call(.get, path).body)
    }

    /// What a client sends in answer to its plan.
    ///
    /// - Parameters:
    ///   - stretch: what A is multiplied by and B divided by, which leaves their product as it is.
    ///   - away: what is added to every number of A.
    func update(of name: String, _ plan: PlanBody, stretch: Float = 1, away: Float = 0) async throws -> SentUpdate {
        let source = try #require(plan.adapter)
        return try SentUpdate(moving: try await adapter(source.href), by: plan, of: name, stretch: stretch, away: away)
    }

    func send(_ update: SentUpdate, of name: String, _ plan: PlanBody, query: String = "&accuracy=0.5&loss=0.7")
        async throws
        -> FetchResponse
    {
        let file = folder + "/\(name).safetensors"
        try Data(update.bytes).write(to: URL(fileURLWithPath: file))
        return try await client(name).call(.put, plan.update + "?samples=\(10 * name.utf8.count)\(query)", file: file)
    }

    /// Lets all clients answer the current round and waits for it to be published.
    @discardableResult
    func train(restarting: Bool = false) async throws -> [(plan: PlanBody, update: SentUpdate, samples: Double)] {
        var sent: [(plan: PlanBody, update: SentUpdate, samples: Double)] = []
        for name in ranks.keys.sorted() {
            let plan = try await plan(of: name)
            let update = try await update(of: name, plan)
            let answer = try await send(update, of: name, plan)
            let text = answer.status == 201 ? "" : String(decoding: answer.body, as: UTF8.self)
            #expect(answer.status == 201, "\(text)")
            sent.append((plan, update, Double(10 * name.utf8.count)))
            if restarting { try await restart() }
        }
        try await waitForEnd(of: try #require(sent.first).plan.round)
        return sent
    }

    @discardableResult
    func waitForEnd(of number: Int) async throws -> RoundBody {
        while true {
            let round = try await reader.get(RoundBody.self, Self.path + "/rounds/\(number)")
            if round.phase == "published" || round.phase == "failed" {
                #expect(round.phase == "published", "\(round.reason ?? "")")
                return round
            }
            let news = try await reader.call(.get, Self.path + "/rounds/current?after=\(round.revision)&wait=20")
            try #require(news.status == 200, "round \(number) stays \(round.phase)")
        }
    }
}

/// An update in the making: which tensors, and the numbers.
struct SentUpdate {
    private(set) var bytes: [UInt8] = []
    /// The trained adapter, both factors, by module.
    private(set) var trained: [String: ModuleFactors] = [:]

    init(moving adapter: AdapterFile, by plan: PlanBody, of client: String, stretch: Float = 1, away: Float = 0)
        throws
    {
        var noise = Noise(seed: UInt64(plan.round) &* 1_000_003 &+ client.utf8.reduce(7) { $0 &* 31 &+ UInt64($1) })
        var tensors: [(name: String, shape: [Int], values: [Float])] = []
        for module in adapter.modules {
            let shape = try #require(module.shape)
            var factors = try #require(ModuleFactors(module))
            #expect(factors.rank == plan.ranks[module.name], "\(module.name) in round \(plan.round)")
            if plan.train.contains("A") { factors.a = factors.a.map { $0 + noise.next() } }
            if plan.train.contains("B") { factors.b = factors.b.map { $0 + noise.next() } }
            factors.a = factors.a.map { $0 * stretch + away }
            factors.b = factors.b.map { $0 / stretch }
            factors.bias = factors.bias?.map { $0 + noise.next() }
            trained[module.name] = factors
            if plan.send.contains("A") {
                tensors.append((shape.nameOfA.peft, shape.shapeOfA(rank: factors.rank), factors.a))
            }
            guard plan.send.contains("B") else { continue }
            tensors.append((shape.nameOfB.peft, shape.shapeOfB(rank: factors.rank), factors.outputMajorB()))
            if let bias = factors.bias { tensors.append((shape.nameOfBias.peft, [bias.count], bias)) }
        }
        for tensor in adapter.dense {
            let values = tensor.values.floats().map { $0 + noise.next() }
            tensors.append((TensorName.dense(tensor.name).peft, tensor.values.shape, values))
        }
        let layout = try SafetensorsLayout(
            tensors: tensors.map { .init(name: $0.name, type: .f32, shape: $0.shape) })
        let path = NSTemporaryDirectory() + "rankwise-update-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let descriptor = open(path, O_RDWR | O_CREAT, 0o600)
        defer { close(descriptor) }
        var writer = try SafetensorsWriter(layout: layout, descriptor: descriptor)
        for tensor in tensors { try writer.write(tensor.values, to: tensor.name) }
        try writer.finish()
        bytes = Array(try #require(FileManager.default.contents(atPath: path)))
    }

    /// A small linear congruential generator, so that runs can be compared.
    private struct Noise {
        var seed: UInt64

        mutating func next() -> Float {
            seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Float(seed >> 40) / Float(1 << 24) - 0.5
        }
    }
}

/// The products of an adapter's modules, (outputs × inputs) each, with the bias behind: enough to compare models.
struct Products: Equatable {
    private(set) var modules: [String: [Double]] = [:]

    init() {}

    init(_ adapter: AdapterFile, scale: (String) -> Double) throws {
        for module in adapter.modules {
            add(try #require(ModuleFactors(module)), to: module.name, scale: scale(module.name))
        }
    }

    mutating func add(_ factors: ModuleFactors, to module: String, scale: Double) {
        var sum = modules[module] ?? [Double](repeating: 0, count: factors.outputs * (factors.inputs + 1))
        for component in 0..<factors.rank {
            for output in 0..<factors.outputs {
                let b = scale * Double(factors.b[component * factors.outputs + output])
                for input in 0..<factors.inputs {
                    sum[output * factors.inputs + input] += b * Double(factors.a[component * factors.inputs + input])
                }
            }
        }
        for (output, bias) in (factors.bias ?? []).enumerated() {
            sum[factors.outputs * factors.inputs + output] += scale * Double(bias)
        }
        modules[module] = sum
    }

    static func + (left: Products, right: Products) -> Products {
        var sum = left
        sum.modules.merge(right.modules) { zip($0, $1).map(+) }
        return sum
    }

    static func * (factor: Double, products: Products) -> Products {
        var scaled = products
        scaled.modules = products.modules.mapValues { $0.map { factor * $0 } }
        return scaled
    }

    /// The largest difference between any two numbers.
    func distance(to other: Products) -> Double {
        Set(modules.keys).union(other.modules.keys).flatMap { name -> [Double] in
            let left = modules[name] ?? []
            let right = other.modules[name] ?? []
            let count = max(left.count, right.count)
            func padded(_ values: [Double]) -> [Double] { values + [Double](repeating: 0, count: count - values.count) }
            return zip(padded(left), padded(right)).map { abs($0 - $1) }
        }.max() ?? 0
    }
}
