import CLinux
import Glibc
import LinearAlgebra
import ModelFiles
package import TrainingData

/// What a training step of a decoder takes of memory, by what is chosen for it.
struct DecoderMemory {
    struct Choice: Equatable {
        /// The number of the highest blocks whose activations are kept.
        var kept: Int
        /// The most tokens at a time, beyond one text; nil for whole batches.
        var tokens: Int?
        /// The most rows whose logits exist at a time.
        var logitRows: Int
        /// The number of the highest blocks that are trained.
        var topBlocks: Int
    }

    let configuration: ModelConfiguration
    /// The layers with the adapter; those that are not trained are marked.
    let layers: [AdaptedLayer]
    let threads: Int
    /// The most tokens of a whole batch, and of one text.
    let batch: Int
    let longest: Int
    /// Whether the optimizer has two moments, and not one velocity.
    let isAdam: Bool
    /// The bytes that are there before training, and those of the weights in their file.
    let resident: Int
    let precision: ProductPrecision

    /// The bytes of the process with this choice.
    func bytes(_ choice: Choice) -> Int {
        let rows = min(batch, choice.tokens.map { max($0, longest) } ?? batch)
        let width = layers.count / configuration.layers
        let trained = layers.suffix(choice.topBlocks * width).filter { $0.isTrained && $0.lora != nil }
        let trainedBlocks = min(choice.topBlocks, blocksFromLowest)
        let widths = DecoderActivations.Widths(
            widest: (0..<configuration.layers).map { .init(layers[$0 * width..<($0 + 1) * width]) })
        var count = (trainedBlocks + 2) * rows * configuration.hidden
        count += (choice.kept + 1) * rows * DecoderActivations.width(configuration, widths)
        count += rows * (2 * configuration.hidden + configuration.attentionWidth)
        count += WidenedProducts.count(layers, rows: rows, precision: precision)
        count += VocabularyLoss.count(
            rows: choice.logitRows, vocabulary: configuration.vocabulary, hidden: configuration.hidden,
            threads: threads)
        count += 4 * choice.logitRows * configuration.hidden
        if precision == .bfloat16 {
            count += VocabularyLoss.roundedCount(
                rows: choice.logitRows, vocabulary: configuration.vocabulary, hidden: configuration.hidden,
                threads: threads)
        }
        count += threads * 2 * CausalAttention.block * longest
        count += longest * configuration.headWidth
        let factors = layers.reduce(0) {
            $0 + ($1.lora.map { $0.a.values.floats.count + $0.b.values.floats.count } ?? 0)
        }
        let learned = trained.reduce(0) {
            $0 + ($1.lora.map { $0.a.values.floats.count + $0.b.values.floats.count } ?? 0)
        }
        // The optimizer's numbers, and the sum of a batch's parts. The gradients are there for every layer already.
        count += learned * ((isAdam ? 2 : 1) + (rows < batch ? 1 : 0))
        // The file that is written, of which some buffers are there at once.
        count += factors / 8
        return resident + 4 * count + Self.reserve
    }

    /// What products, threads and the rest of a round take beside.
    private static let reserve = 20 << 20

    /// From the lowest block that is trained to the highest one.
    private var blocksFromLowest: Int {
        let width = layers.count / configuration.layers
        guard let lowest = layers.firstIndex(where: { $0.isTrained && $0.lora != nil }) else { return 0 }
        return configuration.layers - lowest / width
    }

    /// The fastest choice that keeps below `limit`; nil where there is none.
    func fastest(below limit: Int) -> Choice? {
        let fastestRows = VocabularyLoss.fastestRows(vocabulary: configuration.vocabulary)
        for rows in [fastestRows, max(16, fastestRows / 4), 16] where rows <= fastestRows {
            var best: (cost: Double, choice: Choice)?
            for choice in choices(logitRows: rows) where bytes(choice) <= limit {
                let cost = cost(choice)
                if best.map({ cost < $0.cost }) ?? true { best = (cost, choice) }
            }
            if let best { return best.choice }
        }
        // What is learned is given up last, from the input on.
        for top in stride(from: blocksFromLowest - 1, through: 1, by: -1) {
            let choice = Choice(kept: 0, tokens: 1, logitRows: 16, topBlocks: top)
            if bytes(choice) <= limit { return choice }
        }
        return nil
    }

    /// The choice that takes least.
    var least: Choice { Choice(kept: 0, tokens: 1, logitRows: 16, topBlocks: 1) }

    private func choices(logitRows: Int) -> [Choice] {
        var tokens: [Int?] = [nil]
        var part = batch / 2
        while part > longest {
            tokens.append(part)
            part /= 2
        }
        if batch > longest { tokens.append(1) }
        return tokens.flatMap { tokens in
            (0...blocksFromLowest).map {
                Choice(kept: $0, tokens: tokens, logitRows: logitRows, topBlocks: configuration.layers)
            }
        }
    }

    /// The work of a token in units of a forward pass: three with all activations kept, four with none; and the widening of
    /// the weights, three times for a part of the batch.
    private func cost(_ choice: Choice) -> Double {
        let rows = min(batch, choice.tokens.map { max($0, longest) } ?? batch)
        let again = 1 - Double(choice.kept) / Double(max(1, blocksFromLowest))
        return 3 + again + 60 * (3 + again) / Double(rows)
    }
}

extension DecoderMemory {
    /// The bytes that this process has now, and those of a mapped file that it will have when all of it was read.
    static func residentBytes(withFileOf fileBytes: Int) -> Int {
        // The program and its libraries are mapped as well.
        ProcessMemory.bytes("RssAnon") + max(ProcessMemory.bytes("RssFile"), fileBytes + programBytes)
    }

    private static let programBytes = 40 << 20
}

extension DecoderBase {
    package func fitted(
        to limits: TrainingLimits, layers: [AdaptedLayer], examples: TokenSequences, settings: TrainingSettings
    ) throws(TrainingError) -> MemoryFit<DecoderBase>? {
        guard limits.precision.isAvailable else {
            throw .option(
                "--precision", expected: "float32: this processor has no AVX-512 BF16",
                found: limits.precision.rawValue)
        }
        // Memory of a round must go back to the system after it, so large blocks must not be joined with the heap.
        mallopt(M_MMAP_THRESHOLD, 1 << 20)
        malloc_trim(0)
        let loop = try LoopSettings(settings, modelNames: settingNames)
        let lengths = (0..<examples.count).map { examples.tokens(of: $0).count }.sorted(by: >)
        let memory = DecoderMemory(
            configuration: configuration, layers: layers, threads: threads,
            batch: lengths.prefix(loop.batchSize).reduce(0, +), longest: lengths[0],
            isAdam: loop.optimizer.kind == .adamw, resident: DecoderMemory.residentBytes(withFileOf: fileBytes),
            precision: limits.precision)
        var base = self
        base.precision = limits.precision
        base.trunk = limits.trunk.map {
            .init(file: $0, isRepeated: loop.steps != nil || loop.epochs > 1, report: limits.report)
        }
        guard let bytes = limits.memory else {
            // Half of what is free; with less, whatever takes least without learning less.
            let choice = memory.fastest(below: ProcessMemory.freeBytes() / 2)
            let fits = choice.map { $0.topBlocks == configuration.layers } ?? false
            base.keptLayers = fits ? choice?.kept ?? 0 : 0
            base.tokenLimit = fits ? choice?.tokens : 1
            base.logitRows = fits ? choice?.logitRows : 16
            return MemoryFit(base: base, topBlocks: nil, summary: nil)
        }
        guard let choice = memory.fastest(below: bytes) else {
            throw .option(
                "--memory",
                expected: "at least \(Self.mebibytes(memory.bytes(memory.least))) for texts of \(lengths[0]) tokens",
                found: Self.mebibytes(bytes))
        }
        (base.keptLayers, base.tokenLimit, base.logitRows) = (choice.kept, choice.tokens, choice.logitRows)
        let blocks = configuration.layers
        var given: [String] = []
        if choice.kept < blocks {
            given.append("activations are kept in \(choice.kept) of \(blocks) blocks and computed again in the others")
        }
        if let tokens = choice.tokens {
            given.append("a batch is computed in parts of at most \(max(tokens, lengths[0])) tokens")
        }
        if choice.logitRows < VocabularyLoss.fastestRows(vocabulary: configuration.vocabulary) {
            given.append("logits of \(choice.logitRows) rows at a time")
        }
        let isLess = choice.topBlocks < blocks
        if isLess { given.append("only the \(choice.topBlocks) highest blocks are trained") }
        let what = given.isEmpty ? "nothing is given up" : given.joined(separator: "; ")
        return MemoryFit(
            base: base, topBlocks: isLess ? choice.topBlocks : nil,
            summary: "memory: about \(Self.mebibytes(memory.bytes(choice))) of \(Self.mebibytes(bytes)): \(what)")
    }

    private static func mebibytes(_ bytes: Int) -> String { "\((bytes + (1 << 20) - 1) >> 20) MiB" }
}
