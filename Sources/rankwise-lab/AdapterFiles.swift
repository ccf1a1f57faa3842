import AdapterFormat
import AdapterOperations
import Foundation
import Training

/// Adapters that are scored together, with the names for display; never empty.
struct AdapterFiles {
    struct Entry {
        let name: String
        let path: String
        let file: AdapterFile
        let scales: [String: Double]
    }

    let first: Entry
    let entries: [Entry]

    /// - Parameters:
    ///   - paths: files or folders of adapters.
    ///   - configuration: path of one `adapter_config.json` for all; nil for the one beside each.
    init(at paths: [String], configuration: String?) throws {
        var entries: [Entry] = []
        for path in try paths.flatMap(Self.expanded) {
            let file = try AdapterFile(path: path)
            let scales = try ScoredAdapter(file, at: path, configuration: configuration).scales
            entries.append(Entry(name: Self.name(of: path), path: path, file: file, scales: scales))
        }
        guard let first = entries.first else { throw TrainingError.data(reason: "there is no adapter to score") }
        self.first = first
        self.entries = entries
    }

    var scored: [ScoredAdapter] { entries.map { ScoredAdapter(path: $0.path, scales: $0.scales) } }

    /// Scores all adapters; blocks.
    func score(_ task: NativeTask, _ options: ScoringOptions, oneAtATime: Bool) throws -> [Evaluation] {
        guard oneAtATime else { return try task.score(scored, merge: options.merge, settings: options.settings) }
        return try scored.map {
            try Evaluation(
                of: task, adapter: $0.path, merge: options.merge, scales: $0.scales, settings: options.settings)
        }
    }

    private static let fileName = "adapter_model.safetensors"

    /// A folder's adapters by name: PEFT's own file, or else the files in it and in its subfolders.
    private static func expanded(_ path: String) throws -> [String] {
        let manager = FileManager.default
        var isFolder: ObjCBool = false
        guard manager.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue else { return [path] }
        let own = path + "/" + fileName
        guard !manager.fileExists(atPath: own) else { return [own] }
        let names = try manager.contentsOfDirectory(atPath: path).sorted()
        let found = names.map { $0.hasSuffix(".safetensors") ? "\(path)/\($0)" : "\(path)/\($0)/\(fileName)" }
            .filter(manager.fileExists)
        guard !found.isEmpty else { throw TrainingError.file(path, reason: "it holds no adapter") }
        return found
    }

    private static func name(of path: String) -> String {
        let url = URL(filePath: path)
        return url.lastPathComponent == fileName
            ? url.deletingLastPathComponent().lastPathComponent : url.deletingPathExtension().lastPathComponent
    }
}
