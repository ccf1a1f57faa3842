package import AdapterFormat
import Foundation
package import TrainingData

/// All kinds of base model that are trained and scored in this process, by name or by folder.
///
/// A new kind is a folder beside this file and one line below; nothing else names it.
package enum ModelRegistry {
    /// Models whose weights are drawn from a seed.
    private static let namedKinds: [any NamedModel.Type] = [
        PerceptronBase.self,
        ConvolutionalBase.self,
    ]
    /// Models whose weights lie in a folder. The first one reads a folder that does not say what it holds.
    private static let pretrainedKinds: [any PretrainedModel.Type] = [
        BertEncoder.self
    ]

    /// A model that is known by its name and a seed.
    ///
    /// - Parameters:
    ///   - name: begins with its kind, such as `mlp-64-200-200-10`.
    ///   - seed: draws the weights.
    package static func model(named name: String, seed: UInt64) throws(TrainingError) -> NativeModel {
        let kind = name.prefix { $0 != "-" }
        guard let type = namedKinds.first(where: { $0.kind == kind }) else {
            throw .model(name, reason: "expected " + namedKinds.map { $0.form }.joined(separator: ", or "))
        }
        return NativeModel(try type.init(name: name, seed: seed))
    }

    /// A model's folder, as `save_pretrained` of transformers leaves it.
    package static func pretrained(folder: String) throws(TrainingError) -> any PretrainedModel {
        let path = folder + "/config.json"
        guard let found = modelType(path) else { return try pretrainedKinds[0].init(folder: folder) }
        guard let type = pretrainedKinds.first(where: { $0.modelType == found }) else {
            let known = pretrainedKinds.map { "\"\($0.modelType)\"" }.joined(separator: " or ")
            throw .model(path, reason: "its model_type is \"\(found)\"; expected \(known)")
        }
        return try type.init(folder: folder)
    }

    /// Examples for models that are known by name, read before anybody says which one it is: all take features.
    package static func namedExamples(path: String) throws(DataSetError) -> any ExampleSet { try DataSet(path: path) }

    /// Nil where the file does not say it, or is not sound: the reader of the whole file tells why.
    private static func modelType(_ path: String) -> String? {
        struct Fields: Decodable {
            let model_type: String?
        }
        guard let json = FileManager.default.contents(atPath: path) else { return nil }
        return (try? JSONDecoder().decode(Fields.self, from: json))?.model_type
    }
}

/// Opening a model where a command line or a federation says which one.
extension ModelRegistry {
    /// - Parameter dense: the shapes of the tensors that a federation trains in full.
    package static func model(
        _ source: ModelSource, dense: [String: [Int]]
    ) throws(TrainingError) -> NativeModel {
        switch source {
        case .name(let name, let seed): try model(named: name, seed: seed)
        case .folder(let folder): try pretrained(folder: folder).model(dense: dense)
        }
    }

    /// - Parameter adapter: says how many classes a head has that is trained in full.
    package static func model(_ source: ModelSource, for adapter: AdapterFile) throws(TrainingError) -> NativeModel {
        switch source {
        case .name(let name, let seed): try model(named: name, seed: seed)
        case .folder(let folder): try pretrained(folder: folder).model(for: adapter)
        }
    }

    /// The model with the examples at `data`, and with as many classes as these have where its head is trained in full.
    package static func model(
        _ source: ModelSource, data: String
    ) throws -> (model: NativeModel, task: NativeTask) {
        switch source {
        case .name(let name, let seed):
            let model = try model(named: name, seed: seed)
            return (model, try model.task(data: data))
        case .folder(let folder):
            let opened = try pretrained(folder: folder)
            let examples = try opened.examples(path: data)
            let model = try opened.model(dense: opened.head(classes: max(2, 1 + (examples.labels.max() ?? 0))))
            return (model, try model.task(examples))
        }
    }
}
