import AdapterFormat
import LinearAlgebra
package import ModelFiles
package import Tokenizers
package import TrainingData

/// A causal language model of the Llama, Qwen or GPT-2 family, from its files.
///
/// LoRA adapts any linear layer, under PEFT's names for transformers' models. The matrices stay in their file, quantised as
/// they are; a merge stays a low-rank product beside its matrix.
package struct DecoderBase: FrozenModel {
    package let configuration: ModelConfiguration
    private let weights: DecoderWeights
    private let file: ModelFile
    private let tokenizer: Tokenizer?
    package let layers: [FrozenLayer]
    package var threads = 2
    /// The number of the highest layers whose activations are kept for the gradients. They cost memory and save time; the
    /// bytes of the result are the same.
    package var keptLayers = 0
    /// The most tokens that are computed at a time, beyond one text; nil for whole batches. Longer batches are computed in
    /// parts.
    var tokenLimit: Int?
    /// The most rows whose logits exist at a time; nil for what is fastest.
    var logitRows: Int?
    /// Of the products by the frozen matrices.
    package var precision = ProductPrecision.float32
    /// Where the trunk's outputs are kept; nil for nowhere.
    var trunk: Trunk?

    struct Trunk: Sendable {
        let file: TrunkFile
        /// Whether a round may read a text more than once.
        let isRepeated: Bool
        /// Is told what the file has.
        let report: @Sendable (String) -> Void
    }

    /// - Parameter tokenizer: nil where nobody reads data or writes text, as for weights alone.
    package init(_ file: ModelFile, tokenizer: Tokenizer? = nil) throws(TrainingError) {
        self.file = file
        self.tokenizer = tokenizer
        configuration = file.configuration
        weights = try DecoderWeights(file)
        layers = weights.layers.flatMap { $0.projections.map(\.layer) }
    }

    package var blocks: [Range<Int>] {
        let width = layers.count / configuration.layers
        return (0..<configuration.layers).map { $0 * width..<($0 + 1) * width }
    }

    /// The bytes of the weights in their files.
    var fileBytes: Int { file.byteCount }

    package var dense: [(name: String, shape: [Int])] { [] }
    package var classes: Int { 1 }
    package var scoringBatch: Int { 4 }
    package var predictsTokens: Bool { true }
    package var computesDoRA: Bool { true }
    package var computesLoRABias: Bool { true }
    package var settingNames: Set<String> { ["max_length", "template"] }

    /// Every weight of the model, widened.
    package var tensors: [(name: String, tensor: FrozenTensor)] {
        configuration.tensors.compactMap { name, shape in
            file.tensor(name).map { (name, FrozenTensor(shape: shape, $0.floats())) }
        }
    }

    package func examples(path: String) throws -> DialogueSet { try DialogueSet(path: path) }

    package func check(_ examples: DialogueSet) throws(TrainingError) {}

    /// Encodes dialogues by the template of the settings. A longer text is cut into parts, each of which but the first
    /// begins with the last token before it, so that every token is predicted once. Of a longer conversation the rest is
    /// left out. What then has no token to learn is left out too.
    package func prepare(_ examples: DialogueSet, settings: TrainingSettings) throws(TrainingError) -> TokenSequences {
        let limit = try lengthLimit(settings)
        var encoder = try encoder(settings)
        var texts: [(tokens: [Int32], isCounted: [Bool])] = []
        for dialogue in examples.dialogues {
            let example = encoder.encode(dialogue)
            var first = 0
            repeat {
                let range = first..<min(first + limit, example.ids.count)
                let isCounted = Array(example.lossMask[range])
                if isCounted.dropFirst().contains(true) { texts.append((Array(example.ids[range]), isCounted)) }
                first = range.upperBound - 1
                guard case .text = dialogue, range.count == limit else { break }
            } while first + 1 < example.ids.count
        }
        guard !texts.isEmpty else {
            throw .data(reason: "no text has a token to learn among its first \(limit) (training.max_length)")
        }
        return TokenSequences(texts)
    }

    func writer(
        adapter: ScoredAdapter?, merge: String?, template: String?, capacity: Int?
    ) throws(TrainingError) -> TextWriter {
        guard let tokenizer else { throw .model(file.path, reason: "no tokenizer was opened for it") }
        let settings = TrainingSettings(featureScale: 1, maxLength: nil, template: template)
        let most = configuration.positions
        guard capacity.map({ (2...most).contains($0) }) ?? true else {
            throw .option("--context", expected: "2 to \(most) tokens", found: "\(capacity ?? 0)")
        }
        var layers = layers
        if let merge { try ModelAdapter(path: merge).merge(into: &layers) }
        var adapted = layers.map { AdaptedLayer($0) }
        if let adapter {
            let file = try ModelAdapter(path: adapter.path)
            adapted = try file.adapt(of: self, layers, scales: adapter.scales)
            _ = try file.dense(of: self)
        }
        return TextWriter(
            DecoderContinuation(weights, layers: adapted, capacity: capacity ?? min(most, 4_096), threads: threads),
            tokenizer: tokenizer, template: try self.template(settings, tokenizer),
            endOfText: configuration.endOfText.map { Int32($0) })
    }

    private func encoder(_ settings: TrainingSettings) throws(TrainingError) -> DialogueEncoder {
        guard let tokenizer else { throw .model(file.path, reason: "no tokenizer was opened for it") }
        let template = try template(settings, tokenizer)
        do throws(TextError) {
            return try DialogueEncoder(
                tokenizer, template: template, endOfText: configuration.endOfText.map { Int32($0) })
        } catch {
            throw .setting("template", expected: "one whose tokens the model has", found: "\(error)")
        }
    }

    /// The template of the settings, or the one whose tokens the vocabulary has.
    private func template(
        _ settings: TrainingSettings, _ tokenizer: Tokenizer
    ) throws(TrainingError) -> ChatTemplate {
        let usual = [ChatTemplate.chatml, .llama3].first { $0.missingToken(in: tokenizer) == nil }
        let template = try settings.choice("template", default: usual ?? .plain)
        if let missing = template.missingToken(in: tokenizer) {
            throw .setting(
                "template", expected: "one whose tokens the model has; this one lacks \"\(missing)\"",
                found: "\"\(template.rawValue)\"")
        }
        return template
    }

    package func parts(of indices: ArraySlice<Int>, _ examples: TokenSequences) -> [ArraySlice<Int>] {
        guard let tokenLimit else { return [indices] }
        var parts: [ArraySlice<Int>] = []
        var (first, count) = (indices.startIndex, 0)
        for (place, index) in zip(indices.indices, indices) {
            let length = examples.tokens(of: index).count
            if place > first, count + length > tokenLimit {
                parts.append(indices[first..<place])
                (first, count) = (place, 0)
            }
            count += length
        }
        return parts + [indices[first...]]
    }

    package func choices(_ examples: DialogueSet, settings: TrainingSettings) throws(TrainingError) -> TokenChoices? {
        let limit = try lengthLimit(settings)
        var encoder = try encoder(settings)
        var (texts, choices, tooLong): ([(tokens: [Int32], isCounted: [Bool])], [TokenChoices.Choice], Int) = (
            [], [], 0
        )
        for case .choice(let prompt, let options, let answer) in examples.dialogues {
            let encoded = options.map { encoder.encode(.completion(prompt: prompt, completion: $0)) }
            guard encoded.allSatisfy({ $0.ids.count <= limit }) else {
                tooLong += 1
                continue
            }
            choices.append(
                .init(
                    texts: texts.count..<texts.count + options.count, bytes: options.map(\.utf8.count), answer: answer))
            texts += encoded.map { ($0.ids, $0.lossMask) }
        }
        return choices.isEmpty && tooLong == 0
            ? nil : TokenChoices(texts: TokenSequences(texts), choices: choices, tooLong: tooLong)
    }

    package func model(
        together adapted: [[AdaptedLayer]], settings: TrainingSettings
    ) throws(TrainingError) -> (any TokenPredictingModel)? {
        guard adapted.allSatisfy({ $0.allSatisfy { $0.magnitude == nil } }) else { return nil }
        return DecoderModel(
            weights, layers: adapted[0], others: Array(adapted.dropFirst()), lengthLimit: try lengthLimit(settings),
            keptLayers: 0, logitRows: logitRows, precision: precision, threads: threads)
    }

    package func checkFiles() throws(TrainingError) {
        do throws(ModelFileError) { try file.checkUnchanged() } catch { throw .model(file.path, reason: "\(error)") }
    }

    package func model(
        _ layers: [AdaptedLayer], dense: [DenseTensor], settings: TrainingSettings, batchLimit: Int
    ) throws(TrainingError) -> DecoderModel {
        guard layers.allSatisfy({ $0.sparse == nil }) else {
            throw .setting("stage", expected: "null for a language model", found: "a sparse stage")
        }
        return DecoderModel(
            weights, layers: layers, lengthLimit: try lengthLimit(settings), keptLayers: keptLayers,
            logitRows: logitRows, precision: precision, trunk: trunk(below: layers), threads: threads)
    }

    /// The file of what the blocks below the lowest trained one give; nil where there is none, or where it is not to be kept.
    private func trunk(below layers: [AdaptedLayer]) -> TrunkCache? {
        let width = layers.count / configuration.layers
        guard let trunk, let lowest = layers.firstIndex(where: { $0.isTrained && $0.lora != nil }), lowest >= width
        else {
            return nil
        }
        let depth = lowest / width
        // A trunk with adapters that others train is another one in the next round; then it must pay within this one.
        guard trunk.isRepeated || !layers[..<(depth * width)].contains(where: { $0.lora != nil }) else { return nil }
        var fingerprint = Fingerprint()
        fingerprint.add("\(file.version) \(precision.rawValue) \(depth)")
        for layer in layers[..<(depth * width)] {
            for merge in layer.frozen.merges {
                fingerprint.add(merge.a.floats)
                fingerprint.add(merge.b.floats)
            }
            guard let lora = layer.lora else { continue }
            fingerprint.add("\(layer.name) \(lora.scale)")
            for tensor in [lora.a, lora.b, lora.bias, layer.magnitude].compactMap(\.self) {
                fingerprint.add(tensor.values.floats)
            }
        }
        let cache = TrunkCache(
            path: trunk.file.path, fingerprint: fingerprint, hidden: configuration.hidden, limit: trunk.file.limit)
        guard let cache else {
            trunk.report("the outputs of lower blocks are computed each time: \(trunk.file.path) cannot be written")
            return nil
        }
        trunk.report(
            "the outputs of the \(depth) blocks below the trained ones are kept in \(trunk.file.path); it has \(cache.count) texts"
        )
        return cache
    }

    /// The highest number of tokens of a text that are used.
    private func lengthLimit(_ settings: TrainingSettings) throws(TrainingError) -> Int {
        let positions = configuration.positions
        return try settings.count("max_length", in: 2...positions, default: min(512, positions))
    }

    /// The operations of one step whose activations are all kept; the recomputation of the others is left out, because it is
    /// no part of the result.
    package func stepOperations(ranks: [Int], batch: Int, length: Int) -> Double {
        let rows = batch * length
        var sum = 0.0
        for (layer, rank) in zip(layers, ranks) {
            // Forward, and the gradient of the input; the factors forward, and three products for their gradients.
            sum += 2 * MatrixProduct.operations(rows, layer.inputs, layer.outputs)
            sum += 3 * MatrixProduct.operations(rows, layer.inputs + layer.outputs, rank)
        }
        // Two products forward and four for the gradients; half of the weights are masked.
        sum += 3 * Double(configuration.layers) * MatrixProduct.operations(rows, length, configuration.queryWidth)
        return sum + 2 * MatrixProduct.operations(rows, configuration.hidden, configuration.vocabulary)
    }
}
