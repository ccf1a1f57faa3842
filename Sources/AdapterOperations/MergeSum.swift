import AdapterFormat

/// The sum of a federation's merges up to a round, kept as one adapter file at scale 1.
///
/// Summing concatenates rank components, which is exact. Where a module's stack exceeds the smaller dimension of its
/// matrix, the stack is decomposed and has that rank from then on. The file's metadata names its last round, so that
/// one rename replaces the sum and its round together.
package struct MergeSum: Sendable, Hashable {
    private static let roundKey = "rankwise_merge_round"

    package let path: String
    /// The last round whose merge is included.
    package let round: Int

    /// The sum at `path`; nil where there is none that can be read.
    package init?(path: String) {
        guard let file = try? SafetensorsFile(path: path), let text = file.metadata[Self.roundKey],
            let round = Int(text), round > 0
        else { return nil }
        self.path = path
        self.round = round
    }

    /// Writes the sum of the adapters in `files`, all at scale 1, and replaces the file at `path`; blocks.
    ///
    /// One module is in memory at a time. `path` may be one of `files`.
    package init(of files: [String], round: Int, to path: String) throws(AdapterFileError) {
        var sums: [String: ModuleSum] = [:]
        for file in files {
            for module in try Self.modules(of: file) {
                do {
                    try sums[module.name, default: ModuleSum(name: module.name)].add(module)
                } catch {
                    throw .adapter(file: file, reason: "\(error)")
                }
            }
        }
        let ordered = sums.values.sorted { $0.name < $1.name }
        try WholeFile.replace(path) { descriptor in
            let layout = try SafetensorsLayout(
                tensors: ordered.flatMap(\.tensors), metadata: ["format": "pt", Self.roundKey: String(round)])
            var writer = try SafetensorsWriter(layout: layout, descriptor: descriptor)
            for sum in ordered { try sum.write(to: &writer) }
            try writer.finish()
        }
        self.path = path
        self.round = round
    }

    private static func modules(of path: String) throws(AdapterFileError) -> [AdapterFile.Module] {
        let file = try AdapterFile(path: path, checked: true)
        if let tensor = file.dense.first {
            throw .adapter(file: path, reason: "\(tensor.name) came; a merge has LoRA factors alone")
        }
        return file.modules
    }
}
