import AdapterFormat
import Coordinator
import CoordinatorAPI
import Federation
import Foundation
import RankwiseWire
import Testing
import Training

@testable import Simulation

@Suite struct DocumentTests {
    private let small: SmallFederation

    init() throws { small = try SmallFederation() }

    @Test func `a document is read back as it was written`() throws {
        let document = small.document(scheme: .draw, examples: 3)
        #expect(try SimulationDocument(json: document.json()) == document)
    }

    @Test(arguments: [
        (
            #""simulation": {"clients": 2, "ranks": [1], "data": {"train": "x", "holdout": 0.5}, "speed": 1}"#,
            "simulation.speed"
        ),
        (
            #""simulation": {"clients": 2, "ranks": [1], "data": {"train": "x", "train2": "y"}}"#,
            "simulation.data.train2"
        ),
        (#""simulation": {"clients": 2, "ranks": [1]}"#, "simulation.data"),
        (#""typo": 1, "simulation": {"clients": 2, "ranks": [1], "data": {"train": "x", "holdout": 0.5}}"#, "typo"),
        (#""seed": 3"#, "simulation"),
    ])
    func `a document with a key too many or too few is refused by name`(part: String, path: String) throws {
        let json = """
            {"id": "small", "base_model": {"name": "mlp-3-6-2"},
             "adapter": {"max_rank": 4, "modules": {"fc1": {"in": 3, "out": 6}}}, \(part)}
            """
        let error = try #require(throws: SimulationError.self) { try SimulationDocument(json: Data(json.utf8)) }
        guard case .settings(let found, _) = error else {
            Issue.record("\(error)")
            return
        }
        #expect(found == path)
    }

    @Test(arguments: [
        "clients", "ranks", "threads", "data.holdout", "data.validation", "partition.alpha", "partition.examples",
    ])
    func `settings that cannot be meant are refused by name`(key: String) throws {
        var document = small.document()
        switch key {
        case "clients": document.simulation.clients = 0
        case "ranks": document.simulation.ranks = [4, 0]
        case "threads": document.simulation.threads = 0
        case "data.holdout": document.simulation.data.test = nil
        case "data.validation": document.simulation.data.validation = 1
        case "partition.alpha": document.simulation.partition = .init(scheme: .dirichlet)
        default: document.simulation.partition = .init(scheme: .draw)
        }
        let changed = document
        let error = try #require(throws: SimulationError.self) { try SimulatedCohort(changed) }
        guard case .settings(let path, _) = error else {
            Issue.record("\(error)")
            return
        }
        #expect(path == "simulation." + key)
    }

    @Test func `clients have names that sort by number, ranks in turn, and examples of their own`() throws {
        let cohort = try SimulatedCohort(small.document(clients: 12, ranks: [1, 4]))
        #expect(cohort.clients.map(\.name) == cohort.clients.map(\.name).sorted())
        #expect(cohort.clients.map(\.rank).prefix(4) == [1, 4, 1, 4])
        #expect(cohort.clients.reduce(0) { $0 + $1.task.count } == 40)
        #expect(cohort.heldOut.count == 12)
    }

    @Test func `more clients than examples draw theirs with replacement`() throws {
        let cohort = try SimulatedCohort(small.document(clients: 100, scheme: .draw, examples: 2))
        #expect(cohort.clients.count == 100)
        #expect(cohort.clients.allSatisfy { $0.task.count == 2 })
    }

    @Test func `the paper's runs come seed by seed, with full ranks for plain averaging`() throws {
        for part in ["train", "t10k"] {
            try Data().write(to: URL(filePath: small.folder + "/\(part)-images-idx3-ubyte"))
        }
        let runs = try Reproduction(
            dataset: .mnist, model: .mlp, strategies: ["rbla", "fedavg"], seeds: [1, 2], rounds: 5,
            participation: 0.2, data: small.folder
        ).runs()
        #expect(
            runs.map(\.path) == [
                "mnist-mlp-20percent/rbla-seed1", "mnist-mlp-20percent/fedavg-seed1", "mnist-mlp-20percent/rbla-seed2",
                "mnist-mlp-20percent/fedavg-seed2",
            ])
        #expect(runs[0].document.simulation.ranks == [16, 32, 48, 64, 80, 96, 112, 128, 144, 160])
        #expect(runs[1].document.simulation.ranks == [160])
        #expect(runs[0].document.federation.round.minUpdates == 2)
    }

    @Test func `another learning rate than the paper's has runs of its own`() throws {
        for part in ["train", "t10k"] {
            try Data().write(to: URL(filePath: small.folder + "/\(part)-images-idx3-ubyte"))
        }
        var reproduction = Reproduction(
            dataset: .mnist, model: .mlp, strategies: ["flexlora"], seeds: [1], rounds: 5, participation: 1,
            learningRate: 0.003, data: small.folder)
        let run = try #require(try reproduction.runs().first)
        #expect(run.path == "mnist-mlp-100percent-rate0.003/flexlora-seed1")
        #expect(run.document.federation.training["learning_rate"] == .number(0.003))
        for rate in [0, -1, Double.nan, .infinity] {
            reproduction.learningRate = rate
            #expect(throws: SimulationError.self) { try reproduction.runs() }
        }
    }

    @Test func `the reproduction's models are those that their adapters are for`() throws {
        for part in ["train", "t10k"] {
            try Data().write(to: URL(filePath: small.folder + "/\(part)-images-idx3-ubyte"))
        }
        let ranks: [Reproduction.Model: [Int]] = [
            .mlp: [16, 32, 48, 64, 80, 96, 112, 128, 144, 160], .cnn: [13, 26, 38, 51, 64, 77, 90, 102, 115, 128],
        ]
        for model in Reproduction.Model.allCases {
            let runs = try Reproduction(
                dataset: .fashionMNIST, model: model, strategies: ["rbla", "full"], seeds: [1], rounds: 5,
                participation: 1, data: small.folder
            ).runs()
            #expect(runs[0].path == "fashion-mnist-\(model.rawValue)-100percent/rbla-seed1")
            #expect(runs[0].document.simulation.ranks == ranks[model])
            let federation = runs[0].document.federation
            let settings = try FederationSettings(federation)
            try settings.validate()
            let shape = try AdapterPlan(settings).shape
            let layers = try ModelRegistry.model(named: federation.baseModel.name, seed: 1).layers
            #expect(Set(shape.modules.map(\.name)) == Set(layers.map(\.name)))
            for layer in layers {
                let module = try #require(shape[module: layer.name])
                #expect(module.kind == layer.kind)
                #expect(module.inputs == layer.inputs && module.outputs == layer.outputs)
            }
            #expect(runs[1].document.federation.strategy.name == "full")
            #expect(runs[1].document.federation.training == federation.training)
        }
    }
}
