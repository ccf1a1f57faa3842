import Aggregation
import ArgumentParser
import ClientAgent
import FoundationEssentials
import HTTPFetching
import RankwiseWire
import Training
import TrainingData

/// Builds the agent and its parts.
extension JoinCommand {
    /// Makes the agent, and waits while the disk has no space for its folder.
    func agent(_ display: any ProgressDisplay, _ target: JoinTarget) async throws -> Agent {
        let end = ContinuousClock.now + .seconds(giveUpAfter)
        while true {
            let full: StateError
            do {
                return try makeAgent(display, target)
            } catch StateError.noRoom(let path) {
                full = .noRoom(path: path)
            } catch AgentError.state(.noRoom(let path)) {
                full = .noRoom(path: path)
            }
            guard ContinuousClock.now < end else { throw full }
            display.complain("\(full)", isError: false)
            do {
                try await Task.sleep(for: .seconds(min(giveUpAfter, 10)))
            } catch {
                throw AgentError.cancelled
            }
        }
    }

    private func makeAgent(_ display: any ProgressDisplay, _ target: JoinTarget) throws -> Agent {
        let folder = try StateFolder(state ?? Self.defaultState(federation: target.federation, name: target.name))
        var capabilities: [String: JSONValue] = [
            "version": .string(RankwiseClient.version),
            "processors": .integer(Int64(ProcessInfo.processInfo.activeProcessorCount)),
            "memory_bytes": .integer(Int64(clamping: ProcessInfo.processInfo.physicalMemory)),
            "trainer": .string(trainer == nil ? "native" : "command"),
        ]
        let pretrained = try pretrainedBase()
        let digest = try pretrained.map(digest) ?? baseSha256?.lowercased()
        if let digest { capabilities["base_sha256"] = .string(digest) }
        let configuration = Agent.Configuration(
            server: target.server, federation: target.federation, client: target.name, rank: target.rank,
            enrolmentToken: target.token, capabilities: capabilities, registersAnew: digest != nil,
            evaluates: trainer == nil || trainerEvaluates, rounds: rounds,
            pollWait: .seconds(poll), persistence: .seconds(giveUpAfter), resumableFrom: resumableFrom)
        return try Agent(
            configuration, state: folder, fetcher: access.fetcher(authorityText: target.authority),
            observe: { display.show($0) },
            makeTrainer: try trainerMaker(pretrained, display, state: folder.path) {
                display.complain("the personal adapter stays as it was: \($0)", isError: false)
            })
    }

    /// - Parameters:
    ///   - pretrained: the model of `--base`.
    ///   - state: the folder for the personal adapter, if the strategy has one and no trainer command keeps its own, and for
    ///     the outputs of blocks that are not trained.
    private func trainerMaker(
        _ pretrained: (any PretrainedModel)?, _ display: any ProgressDisplay, state: String,
        onFailure: @escaping @Sendable (TrainingError) -> Void
    ) throws -> Agent.TrainerMaker {
        if let trainer {
            let trainer = CommandTrainer(
                command: trainer, data: data, timeout: .seconds(trainerTimeout), evaluates: trainerEvaluates)
            return { _ in trainer }
        }
        let make = try nativeTrainerMaker(pretrained, display, state: state)
        return { settings throws(TrainingError) in
            let trainer = try await make(settings)
            return Strategy.keepsPersonalAdapter(named: settings.strategy.name)
                ? PersonalTrainer(trainer, folder: state + "/personal", onFailure: onFailure) : trainer
        }
    }

    /// Reads the data before the server learns of this client, so that a wrong path is found at once.
    private func nativeTrainerMaker(
        _ pretrained: (any PretrainedModel)?, _ display: any ProgressDisplay, state: String
    ) throws -> Agent.TrainerMaker {
        let limit = Duration.seconds(trainerTimeout)
        let trunk = TrunkFile(path: state + "/trunk", limit: trunkCache?.bytes ?? TrunkFile.usualLimit(in: state))
        let limits = TrainingLimits(
            topBlocks: layers?.topBlocks, memory: memory?.bytes, precision: precision,
            trunk: trunk.limit > 0 ? trunk : nil
        ) { display.complain($0, isError: false) }
        guard let pretrained else {
            let examples = try read { try ModelRegistry.namedExamples(path: data) }
            return { settings throws(TrainingError) in
                let model = try ModelRegistry.model(
                    named: settings.baseModel.name, seed: settings.baseModel.seed ?? 0)
                return NativeTrainer(try model.task(examples), limit: limit, limits: limits)
            }
        }
        let examples = try read { try pretrained.examples(path: data) }
        return { settings throws(TrainingError) in
            let model = try pretrained.model(dense: settings.adapter.dense.mapValues(\.shape))
            return NativeTrainer(try model.task(examples), limit: limit, limits: limits)
        }
    }

    private func read(_ examples: () throws -> any ExampleSet) throws -> any ExampleSet {
        do {
            return try examples()
        } catch {
            throw ValidationError("--data: \(error)")
        }
    }

    /// The model of `--base`.
    private func pretrainedBase() throws -> (any PretrainedModel)? {
        do throws(TrainingError) {
            guard let base else { return nil }
            return try ModelRegistry.pretrained(path: base)
        } catch {
            throw ValidationError("--base: \(error)")
        }
    }

    /// The digest of the base model, which the server may require.
    private func digest(_ pretrained: any PretrainedModel) throws -> String {
        do {
            return try BaseDigest.sha256(ofFiles: pretrained.weightFiles)
        } catch {
            throw ValidationError("--base: \(error)")
        }
    }

    private static func defaultState(federation: String, name: String) -> String {
        let environment = ProcessInfo.processInfo.environment
        // The XDG specification ignores relative paths.
        let base = environment["XDG_STATE_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil }
        return "\(base ?? URL.homeDirectory.path + "/.local/state")/rankwise/\(federation)/\(name)"
    }
}
