import AdapterFormat
import FoundationEssentials

/// A pretrained model on disk: one safetensors file, or a folder with one file or with shards and their index.
struct Checkpoint {
    /// One of its safetensors files.
    struct Shard {
        /// The file name without its folder.
        let name: String
        let file: CheckpointFile
    }

    /// The file that gives each tensor's shard.
    struct Index {
        let name: String
        let contents: Data
    }

    /// The path as the caller gave it.
    let path: String
    /// Whether the path is a single file, so that the model has no name of its own.
    let isSingleFile: Bool
    let shards: [Shard]
    let index: Index?
    let facts: CheckpointFacts
    /// Files beside the weights, such as `config.json` and the tokenizer's. There are none where a single file was
    /// given.
    let companions: [String]
    /// The folder of the files.
    let folder: String
    private let positions: [String: Int]

    /// - Parameter path: a safetensors file, an index of shards, or the folder of either.
    /// - Throws: where there is no such file or more than one model, where a file is invalid, or where the index
    ///   contradicts the files.
    init(path: String) throws(AdapterFileError) {
        self.path = path
        let isFolder = FileManager.default.isFolder(path)
        let isIndex = path.hasSuffix(Self.indexSuffix)
        folder = isFolder ? path : Self.folder(of: path)
        isSingleFile = !isFolder && !isIndex
        let names = isFolder || isIndex ? try Self.files(in: folder) : []
        var indexName = isIndex ? URL(filePath: path).lastPathComponent : nil
        var weights = isFolder || isIndex ? [] : [URL(filePath: path).lastPathComponent]
        if isFolder {
            let main = try Self.main(among: names, in: path)
            if main.hasSuffix(Self.indexSuffix) { indexName = main } else { weights = [main] }
        }
        var map: [String: String] = [:]
        if let indexName {
            let contents = try Self.contents(of: "\(folder)/\(indexName)")
            index = Index(name: indexName, contents: contents)
            map = try Self.weightMap(contents, of: "\(folder)/\(indexName)")
            weights = Set(map.values).sorted()
        } else {
            index = nil
        }
        var shards: [Shard] = []
        var positions: [String: Int] = [:]
        for name in weights {
            let file = "\(folder)/\(name)"
            do throws(SafetensorsError) {
                shards.append(Shard(name: name, file: try CheckpointFile(path: file)))
            } catch {
                throw .file(file, reason: "\(error)")
            }
            for tensor in shards[shards.count - 1].file.tensors {
                if index != nil, map[tensor.name] != name {
                    throw .file(file, reason: "it holds \(tensor.name), which \(indexName ?? "") does not have there")
                }
                positions[tensor.name] = shards.count - 1
            }
        }
        if let missing = map.keys.sorted().first(where: { positions[$0] == nil }) {
            throw .file("\(folder)/\(map[missing] ?? "")", reason: "it lacks \(missing), which the index has there")
        }
        self.shards = shards
        self.positions = positions
        facts = try CheckpointFacts(folder: folder)
        companions = names.filter { !Self.isWeights($0) }
    }

    /// The names of all tensors.
    var names: Dictionary<String, Int>.Keys { positions.keys }

    subscript(name: String) -> CheckpointFile.Tensor? { positions[name].flatMap { shards[$0].file[name] } }

    /// The position of a tensor's shard.
    func shard(of name: String) -> Int? { positions[name] }
}

/// Finds the files.
extension Checkpoint {
    private static let indexSuffix = ".safetensors.index.json"

    private static func folder(of path: String) -> String {
        let end = path.lastIndex(of: "/") ?? path.startIndex
        return end > path.startIndex ? String(path[..<end]) : path.hasPrefix("/") ? "/" : "."
    }

    private static func files(in folder: String) throws(AdapterFileError) -> [String] {
        do {
            return try FileManager.default.contentsOfDirectory(atPath: folder).sorted().filter {
                !$0.hasPrefix(".") && !FileManager.default.isFolder("\(folder)/\($0)")
            }
        } catch {
            throw .file(folder, reason: "the folder cannot be read")
        }
    }

    /// The index, or the only file of weights.
    private static func main(among names: [String], in folder: String) throws(AdapterFileError) -> String {
        let candidates = names.filter {
            ($0.hasSuffix(indexSuffix) || $0.hasSuffix(".safetensors")) && $0 != "adapter_model.safetensors"
        }
        for usual in ["model\(indexSuffix)", "model.safetensors"] where candidates.contains(usual) { return usual }
        let indices = candidates.filter { $0.hasSuffix(indexSuffix) }
        let found = indices.isEmpty ? candidates : indices
        guard found.count == 1 else {
            throw .file(
                folder,
                reason: "expected model.safetensors or model.safetensors.index.json; found "
                    + (found.isEmpty ? "no safetensors file" : found.joined(separator: ", ")))
        }
        return found[0]
    }

    /// Whether a file contains weights, in any format, or an index of them.
    private static func isWeights(_ name: String) -> Bool {
        let endings = [
            ".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".gguf", ".h5", ".msgpack", ".onnx", ".ot", ".index.json",
        ]
        return endings.contains(where: name.hasSuffix) || name == "adapter_config.json"
    }

    static func contents(of path: String) throws(AdapterFileError) -> Data {
        do { return try Data(contentsOf: URL(fileURLWithPath: path)) } catch {
            throw .file(path, reason: "it cannot be read")
        }
    }

    private static func weightMap(_ contents: Data, of path: String) throws(AdapterFileError) -> [String: String] {
        struct Fields: Decodable {
            let weight_map: [String: String]
        }
        let map: [String: String]
        do { map = try JSONDecoder().decode(Fields.self, from: contents).weight_map } catch {
            throw .file(path, reason: "expected an object whose weight_map has a file's name for each tensor")
        }
        if let odd = map.values.first(where: { $0.contains("/") || !$0.hasSuffix(".safetensors") }) {
            throw .file(path, reason: "its weight_map names \(odd); expected safetensors files of its own folder")
        }
        return map
    }
}

extension FileManager {
    fileprivate func isFolder(_ path: String) -> Bool {
        var isDirectory = false
        return fileExists(atPath: path, isDirectory: &isDirectory) && isDirectory
    }
}
