import AdapterFormat
import DurableFiles
import FoundationEssentials
import Glibc

/// Trains a personal adapter of the client beside the shared one (`fdlora`, arXiv 2406.07925).
///
/// The personal adapter begins as the first round's adapter. Later rounds continue its training on the same data with
/// the same settings. It never leaves the machine. It is a folder in PEFT's form.
package struct PersonalTrainer: LocalTrainer {
    private let trainer: any LocalTrainer
    private let folder: String
    private let onFailure: @Sendable (TrainingError) -> Void

    /// - Parameters:
    ///   - trainer: trains both adapters.
    ///   - folder: the folder of the personal adapter; created if missing.
    ///   - onFailure: called with the reason where the personal adapter was not trained in a round.
    package init(
        _ trainer: any LocalTrainer, folder: String, onFailure: @escaping @Sendable (TrainingError) -> Void = { _ in }
    ) {
        self.trainer = trainer
        self.folder = folder
        self.onFailure = onFailure
    }

    package var evaluates: Bool { trainer.evaluates }

    /// Scores the shared adapter; the personal one is the client's own.
    package func evaluate(_ assignment: TrainingAssignment) async throws(TrainingError) -> EvaluationOutcome {
        try await trainer.evaluate(assignment)
    }

    package func train(
        _ assignment: TrainingAssignment, progress: @escaping @Sendable (TrainingProgress) -> Void
    ) async throws(TrainingError) -> TrainingOutcome {
        do throws(TrainingError) {
            try await trainOwn(assignment)
        } catch {
            // The federation's round continues, and the personal adapter stays unchanged.
            guard error != .cancelled else { throw error }
            onFailure(error)
        }
        return try await trainer.train(assignment, progress: progress)
    }

    private func trainOwn(_ assignment: TrainingAssignment) async throws(TrainingError) {
        let (kept, trained) = (folder + "/adapter_model.safetensors", folder + "/trained.safetensors")
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        } catch {
            throw .writing(folder, error)
        }
        var own = assignment
        own.plan.send = [.a, .b]
        own.plan.train = [.a, .b]
        own.output = trained
        if Self.ranks(of: kept) == assignment.plan.ranks { own.adapter = kept }
        _ = try await trainer.train(own) { _ in }
        do throws(FileError) { try DurableFile.rename(trained, to: kept) } catch {
            throw .file(kept, reason: error.text)
        }
        do {
            let configuration = try Data(contentsOf: URL(filePath: assignment.configuration))
            try configuration.write(to: URL(filePath: folder + "/adapter_config.json"), options: .atomic)
        } catch {
            throw .writing(folder + "/adapter_config.json", error)
        }
    }

    /// nil where there is no readable adapter.
    private static func ranks(of path: String) -> [String: Int]? {
        (try? AdapterFile(try SafetensorsFile(path: path)))?.ranks
    }
}
