package import AdapterFormat
import FoundationEssentials
package import TrainingData

/// All kinds of base model that this process can train and score, by name or by path.
///
/// A new kind needs a folder beside this file and one line below. No other file names it.
package enum ModelRegistry {
    /// Models with weights drawn from a seed.
    private static let namedKinds: [any NamedModel.Type] = [
        PerceptronBase.self,
        ConvolutionalBase.self,
    ]
    /// Models with weights in files. The first one reads a folder that does not state its kind.
    private static let pretrainedKinds: [any PretrainedModel.Type] = [
        BertEncoder.self,
        Decoder.self,
    ]

    /// A model with a name and a seed.
    ///
    /// - Parameters:
    ///   - name: begins with the model's kind, such as `mlp-64-200-200-10`.
    ///   - seed: the seed of the weights.
    package static func model(named name: String, seed: UInt64) throws(TrainingError) -> NativeModel {
        let kind = name.prefix { $0 != "-" }
        guard let type = namedKinds.first(where: { $0.kind == kind }) else {
            throw .model(name, reason: "expected " + namedKinds.map { $0.form }.joined(separator: ", or "))
        }
        return NativeModel(try type.init(name: name, seed: seed))
    }

    /// The model in a folder in the form of transformers' `save_pretrained`, or in one file.
    package static func pretrained(path: String) throws(TrainingError) -> any PretrainedModel {
        var isFolder = true
        if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), !isFolder,
            let type = pretrainedKinds.first(where: { $0.readsFiles })
        {
            return try type.init(path: path)
        }
        let config = path + "/config.json"
        guard let found = modelType(config) else { return try pretrainedKinds[0].init(path: path) }
        guard let type = pretrainedKinds.first(where: { $0.modelTypes.contains(found) }) else {
            let known = pretrainedKinds.flatMap { $0.modelTypes }.map { "\"\($0)\"" }.joined(separator: ", ")
            throw .model(config, reason: "its model_type is \"\(found)\"; expected one of \(known)")
        }
        return try type.init(path: path)
    }

    /// Examples for named models. They can be read before the model is known, because all named models use features.
    package static func namedExamples(path: String) throws(DataSetError) -> any ExampleSet { try DataSet(path: path) }

    /// nil where the file does not state it or is invalid; the reader of the whole file reports the fault.
    private static func modelType(_ path: String) -> String? {
        struct Fields: Decodable {
            let model_type: String?
        }
        guard let json = FileManager.default.contents(atPath: path) else { return nil }
        return (try? JSONDecoder().decode(Fields.self, from: json))?.model_type
    }
}

/// Opens the model that a command line or a federation names.
extension ModelRegistry {
    /// - Parameter dense: the shapes of the tensors that a federation trains in full.
    package static func model(
        _ source: ModelSource, dense: [String: [Int]]
    ) throws(TrainingError) -> NativeModel {
        switch source {
        case .name(let name, let seed): try model(named: name, seed: seed)
        case .pretrained(let path): try pretrained(path: path).model(dense: dense)
        }
    }

    /// - Parameter adapter: gives the number of classes of a head that is trained in full.
    package static func model(_ source: ModelSource, for adapter: AdapterFile) throws(TrainingError) -> NativeModel {
        switch source {
        case .name(let name, let seed): try model(named: name, seed: seed)
        case .pretrained(let path): try pretrained(path: path).model(for: adapter)
        }
    }

    /// The model with the examples at `data`. A head that is trained in full has as many classes as these.
    package static func model(
        _ source: ModelSource, data: String
    ) throws -> (model: NativeModel, task: NativeTask) {
        switch source {
        case .name(let name, let seed):
            let model = try model(named: name, seed: seed)
            return (model, try model.task(data: data))
        case .pretrained(let path):
            let opened = try pretrained(path: path)
            let examples = try opened.examples(path: data)
            let model = try opened.model(dense: opened.head(classes: max(2, 1 + (examples.labels.max() ?? 0))))
            return (model, try model.task(examples))
        }
    }
}
