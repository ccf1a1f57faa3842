import AdapterFormat
import FoundationEssentials
import Glibc

/// The command's input and output folders, beside the output file of the training.
struct CommandFolders {
    let input: String
    let output: String

    init(for assignment: TrainingAssignment) throws(TrainingError) {
        input = assignment.output + ".in"
        output = assignment.output + ".out"
        remove()
        do {
            let files = FileManager.default
            for folder in [input, output] {
                try files.createDirectory(atPath: folder, withIntermediateDirectories: true)
            }
            try files.copyItem(atPath: assignment.adapter, toPath: input + "/adapter_model.safetensors")
            try files.copyItem(atPath: assignment.configuration, toPath: input + "/adapter_config.json")
            if let merge = assignment.merge { try files.copyItem(atPath: merge, toPath: input + "/merge.safetensors") }
            try Data(assignment.plan.json).write(to: URL(fileURLWithPath: input + "/plan.json"))
        } catch {
            remove()
            throw .writing(input, error)
        }
    }

    /// Moves the command's files to their places.
    func collect(into path: String) throws(TrainingError) -> TrainingOutcome {
        let adapter = output + "/adapter_model.safetensors"
        guard FileManager.default.fileExists(atPath: adapter) else {
            throw .command(reason: "exited with status 0 and left no adapter_model.safetensors")
        }
        let outcome = try Self.outcome(of: metricsBytes())
        do {
            try AdapterFile(try SafetensorsFile(path: adapter)).checkFinite()
        } catch {
            throw .command(reason: "left an adapter_model.safetensors that is of no use: \(error)")
        }
        let configuration = URL(fileURLWithPath: path).deletingLastPathComponent().path + "/adapter_config.json"
        unlink(configuration)
        guard rename(output + "/adapter_config.json", configuration) == 0 || errno == ENOENT,
            rename(adapter, path) == 0
        else {
            throw .file(path, reason: String(cString: strerror(errno)))
        }
        return outcome
    }

    /// What the command found when it was to evaluate.
    func evaluation() throws(TrainingError) -> EvaluationOutcome {
        let values: [String: Double?]
        do {
            values = try JSONDecoder().decode([String: Double?].self, from: metricsBytes())
        } catch let error as TrainingError {
            throw error
        } catch {
            throw .command(reason: "left a metrics.json of no use: \(Self.reason(error))")
        }
        guard let found = values["samples"], let found, let samples = Int(exactly: found), samples >= 0 else {
            throw .command(reason: "left a metrics.json of no use: samples is no whole number of 0 or more")
        }
        let metrics = values.compactMapValues(\.self).filter { $0.key != "samples" }
        return samples == 0 ? .withoutData : EvaluationOutcome(samples: samples, metrics: metrics)
    }

    private func metricsBytes() throws(TrainingError) -> Data {
        guard let bytes = FileManager.default.contents(atPath: output + "/metrics.json"), bytes.count <= 1 << 20
        else { throw .command(reason: "exited with status 0 and left no metrics.json") }
        return bytes
    }

    private static func outcome(of bytes: Data) throws(TrainingError) -> TrainingOutcome {
        struct Metrics: Decodable {
            let samples: Int
            let loss: Double
            /// nil for a language model.
            let accuracy: Double?
        }
        let metrics: Metrics
        do {
            metrics = try JSONDecoder().decode(Metrics.self, from: bytes)
        } catch {
            throw .command(reason: "left a metrics.json of no use: \(reason(error))")
        }
        guard metrics.samples >= 0 else {
            throw .command(reason: "left a metrics.json of no use: samples is \(metrics.samples); expected 0 or more")
        }
        return TrainingOutcome(samples: metrics.samples, loss: metrics.loss, accuracy: metrics.accuracy)
    }

    private static func reason(_ error: any Error) -> String {
        func name(_ path: [any CodingKey]) -> String { path.map(\.stringValue).joined(separator: ".") }
        switch error {
        case DecodingError.keyNotFound(let key, _): return "\(key.stringValue) is missing"
        case DecodingError.valueNotFound(_, let context): return "\(name(context.codingPath)) is null"
        case DecodingError.typeMismatch(let type, let context) where !context.codingPath.isEmpty:
            return "\(name(context.codingPath)) is no \(type == Int.self ? "whole number" : "number")"
        case DecodingError.dataCorrupted(let context) where !context.codingPath.isEmpty:
            return "\(name(context.codingPath)) is no number that can be used"
        default: return "it is not sound JSON"
        }
    }

    /// Whether the disk has space for another file of `adapter`'s size; true where that is unknown.
    func hasRoom(for adapter: String) -> Bool {
        var (file, disk) = (stat(), statvfs())
        guard stat(adapter, &file) == 0, statvfs(output, &disk) == 0 else { return true }
        return UInt64(disk.f_bavail) > UInt64(clamping: file.st_size) / UInt64(max(1, disk.f_frsize))
    }

    func remove() {
        for folder in [input, output] { try? FileManager.default.removeItem(atPath: folder) }
    }
}
