package import AdapterFormat
import FoundationEssentials
import Glibc
import StrictJSON

/// Merges an adapter into a model's weights, as PEFT's `merge_and_unload` does.
package enum MergedWeights {
    /// Writes the model at `base` with the adapter merged to a folder; blocks. One tensor is in memory at a time.
    ///
    /// The files keep their names, their order and the types of their numbers. Tensors that the adapter does not change
    /// stay the same byte for byte. All other files of the base's folder are copied, except weights of other formats.
    /// Merges are computed in F32 and rounded once.
    ///
    /// - Parameters:
    ///   - base: a safetensors file, an index of shards, or the folder of either.
    ///   - adapter: a PEFT file.
    ///   - folder: must differ from the base's. For a single file, it gets `model.safetensors`.
    /// - Throws: before anything is written, where something cannot be merged; the error names it.
    package static func write(
        base: String, adapter: String, configuration: AdapterConfig, to folder: String
    ) throws(AdapterFileError) {
        let model = try Checkpoint(path: base)
        let plan = try MergePlan(
            of: try AdapterFile(merging: adapter, configuration), at: adapter, configuration: configuration, onto: model
        )
        try model.checkFree(folder)
        var written: [String] = []
        do throws(AdapterFileError) {
            for (position, shard) in model.shards.enumerated() {
                let name = model.isSingleFile ? "model.safetensors" : shard.name
                written.append(name)
                try write(position, of: model, plan, to: "\(folder)/\(name)")
            }
            for (name, contents) in try model.besides(plan) {
                written.append(name)
                try WholeFile.replace("\(folder)/\(name)", with: contents)
            }
        } catch {
            for name in written { unlink("\(folder)/\(name)") }
            throw error
        }
    }

    private static func write(
        _ position: Int, of model: Checkpoint, _ plan: MergePlan, to path: String
    ) throws(AdapterFileError) {
        let file = model.shards[position].file
        // New tensors are added to the last file, in the type of the model's own numbers.
        let type = file.tensors.compactMap(\.type).first ?? .f32
        let added = position == model.shards.count - 1 ? plan.additions : [:]
        try WholeFile.replace(path) { descriptor in
            var writer = try CheckpointWriter(
                file, adding: added.map { .init(name: $0.key, type: type, shape: $0.value.shape) },
                descriptor: descriptor)
            for tensor in file.tensors {
                guard let change = plan.changes[tensor.name], let own = file.view(of: tensor.name) else { continue }
                var values = (change.replacement ?? own).floats()
                change.apply(to: &values)
                try writer.write(values, to: tensor.name)
            }
            for (name, view) in added { try writer.write(view.floats(), to: name) }
            try writer.finish()
        }
    }
}

extension Checkpoint {
    /// Throws where the folder has another model, because files of it would remain.
    fileprivate func checkFree(_ target: String) throws(AdapterFileError) {
        let resolved = [folder, target].map {
            URL(fileURLWithPath: $0).resolvingSymlinksInPath().standardizedFileURL.path
        }
        guard resolved[0] != resolved[1] else {
            throw .file(target, reason: "the base lies there; expected another folder")
        }
        let own = Set(shards.map(\.name) + [index?.name, "model.safetensors"].compactMap(\.self))
        let there = (try? FileManager.default.contentsOfDirectory(atPath: target)) ?? []
        let weights = there.filter { $0.hasSuffix(".safetensors") || $0.hasSuffix(".safetensors.index.json") }
        if let other = weights.sorted().first(where: { !own.contains($0) && $0 != "adapter_model.safetensors" }) {
            throw .file(target, reason: "it holds \(other) of another model; expected an empty folder")
        }
    }

    /// The files beside the weights, unchanged or changed by the merge.
    fileprivate func besides(_ plan: MergePlan) throws(AdapterFileError) -> [(name: String, contents: Data)] {
        var files: [(name: String, contents: Data)] = []
        for name in companions {
            if name == "config.json", plan.untiesHead, let text = facts.untied {
                files.append((name, Data(text.utf8)))
            } else {
                files.append((name, try Self.contents(of: "\(folder)/\(name)")))
            }
        }
        if let index { files.append((index.name, try index.adding(plan.additions, to: shards))) }
        return files
    }
}

extension Checkpoint.Index {
    /// The index, with the added tensors in the last file.
    fileprivate func adding(
        _ additions: [String: TensorView], to shards: [Checkpoint.Shard]
    ) throws(AdapterFileError) -> Data {
        guard let last = shards.last, !additions.isEmpty else { return contents }
        let width = (last.file.tensors.compactMap(\.type).first ?? .f32).byteCount
        let count = additions.values.reduce(0) { $0 + $1.elementCount }
        do throws(JSONSyntaxError) {
            var members = try contents.jsonMembers()
            var map = try members["weight_map"]?.jsonMembers() ?? [:]
            for name in additions.keys { map[name] = last.name.jsonQuoted }
            members["weight_map"] = map.json(indent: 2)
            var metadata = members["metadata"].flatMap { try? $0.jsonMembers() } ?? [:]
            for (key, more) in [("total_size", count * width), ("total_parameters", count)] {
                if let total = metadata[key].flatMap(Int.init) { metadata[key] = "\(total + more)" }
            }
            members["metadata"] = metadata.json(indent: 2)
            return Data((members.json(indent: 0) + "\n").utf8)
        } catch {
            throw .file(name, reason: "\(error)")
        }
    }
}

extension Sequence<UInt8> {
    /// The members of a JSON object, each as canonical text.
    fileprivate func jsonMembers() throws(JSONSyntaxError) -> [String: String] {
        try Array(self).span.bytes.withUnsafeBytes { bytes throws(JSONSyntaxError) in
            var scanner = JSONScanner(bytes)
            var members: [String: String] = [:]
            try scanner.beginObject()
            while let name = try scanner.nextName() {
                guard members.updateValue(try scanner.canonicalValue(), forKey: name) == nil else {
                    throw .duplicate(name)
                }
            }
            try scanner.finish()
            return members
        }
    }
}

extension String {
    fileprivate func jsonMembers() throws(JSONSyntaxError) -> [String: String] { try utf8.jsonMembers() }
}

extension [String: String] {
    /// An object of these members, which are JSON texts: one on each line, by name, in the form of transformers' indices.
    fileprivate func json(indent: Int) -> String {
        let space = String(repeating: " ", count: indent)
        let lines = sorted { $0.key < $1.key }.map { "\n\(space)  \($0.key.jsonQuoted): \($0.value)" }
        return "{" + lines.joined(separator: ",") + "\n\(space)}"
    }
}

extension AdapterFile {
    /// Opens an adapter, checks all its numbers, and separates its experts where the configuration has any.
    fileprivate init(merging path: String, _ configuration: AdapterConfig) throws(AdapterFileError) {
        do {
            let file = try SafetensorsFile(path: path)
            var experts: [String: Int] = [:]
            let parameters = configuration.further["target_parameters"] ?? "null"
            for tensor in file.tensors where !["null", "[]"].contains(parameters) {
                guard case .factorA(let module, embedding: false) = TensorName(parsing: tensor.name),
                    let rows = tensor.shape.first
                else { continue }
                let rank = configuration.rank(of: module)
                if rows > rank, rows.isMultiple(of: rank) { experts[module] = rows / rank }
            }
            try self.init(file, experts: experts)
            try checkFinite()
        } catch {
            throw .adapter(file: path, reason: "\(error)")
        }
    }
}
